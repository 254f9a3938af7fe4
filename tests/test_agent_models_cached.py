"""Models whose answers are kept: caches that earlier versions wrote still save the calls they saved before."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import BaseModel

from agent.models.scripted import Scripted, Turn
from agent.models.structured import MalformedAnswer
from agent.narrative.cached_llm import FILE_NAME, Answers, Asker
from evals.judge import Prompt, VerdictCache, judge

SPEC = "openai:m@http://h/v1"
PICTURE = {"type": "image", "base64": base64.b64encode(b"a picture").decode(), "mime_type": "image/png"}
# Written by an earlier version for the requests below.
ANSWERS = """
CREATE TABLE answers (
    sha TEXT NOT NULL, source TEXT NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL, body TEXT NOT NULL,
    seconds REAL NOT NULL, tokens INTEGER NOT NULL, wall_s REAL NOT NULL, PRIMARY KEY (sha, source)
);
INSERT INTO answers VALUES
    ('3d1cf4776191636fc6bdd768a85d1914f905769fa31500cf76ba184bb44de930', 'film 1', 'chain', 'openai:m@http://h/v1',
     '{"score":3}', 0.5, 4, 1796280965.3),
    ('4f3e66f131a7234f4df51b9c621fefd47b6915cf4648b3f5b420eecbf5770fd9', 'film 1', 'caption', 'openai:m@http://h/v1',
     'A fox.', 1.5, 6, 1796280965.3);
"""
VERDICTS = """
CREATE TABLE verdicts (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, prompt_sha TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO verdicts VALUES
    ('25603e88da22c1b3a38014567c555872584bede18f8caec502fa42bf61f141e5', 'openai:m@http://h/v1', 'p',
     '{"failure": "malformed", "problem": "the model twice answered with something else.", "calls": 2}'),
    ('bd4cb1dab2c7a12dd6d09015ee4ded498de794b10c45f9870831a99eb93a6c24', 'openai:m@http://h/v1', 'p',
     '{"value": {"score": 3}, "calls": 1, "tokens_in": 4, "tokens_out": 2}');
PRAGMA user_version = 1;
"""


class Score(BaseModel):
    score: int


def write(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as file:
        file.executescript(script)
    return path


def says(*texts: str) -> Scripted:
    return Scripted(spec=SPEC, turns=[Turn(say=text) for text in texts])


def test_answers_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    write(tmp_path / FILE_NAME, ANSWERS)
    with Answers(tmp_path) as answers:
        asker = Asker(says(), "film 1", answers)
        assert asker.json("chain", "Rate it.", Score) == Score(score=3)
        assert asker.text("caption", "System.", "What?", ["[0:01]", PICTURE]) == "A fox."
        assert (asker.spent.calls, asker.spent.kept, asker.spent.tokens) == (0, 2, 0)
        assert answers.seconds_a_call(SPEC, "caption") == 1.5
        assert answers.seconds_a_call(SPEC, "link") is None
        elsewhere = Asker(says('{"score": 1}'), "film 2", answers)
        assert elsewhere.json("chain", "Rate it.", Score) == Score(score=1)


def test_verdicts_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    prompt = Prompt("Rate {answer}.")
    with VerdictCache(write(tmp_path / "verdicts.sqlite", VERDICTS)) as cache:
        found = judge(cache, says(), prompt, Score, answer="A fox.", images=[PICTURE])
        assert (found.value, found.cached) == (Score(score=3), True)
        assert (found.calls, found.tokens_in, found.tokens_out) == (1, 4, 2)
        failed = judge(cache, says(), prompt, Score, answer="A hen.")
        assert isinstance(failed.error, MalformedAnswer)
        assert (failed.value, failed.cached, failed.calls) == (None, True, 2)


def test_a_kept_answer_that_no_longer_fits_is_made_anew(tmp_path: Path) -> None:
    write(tmp_path / FILE_NAME, ANSWERS.replace('{"score":3}', '{"score":'))
    with Answers(tmp_path) as answers:
        for calls in (1, 0):
            asker = Asker(says('{"score": 2}'), "film 1", answers)
            assert asker.json("chain", "Rate it.", Score) == Score(score=2)
            assert asker.spent.calls == calls


def test_a_malformed_answer_is_kept_for_a_judge_and_asked_again_for_a_memory(tmp_path: Path) -> None:
    model = says(*["No."] * 6)
    with Answers(tmp_path) as answers, VerdictCache(tmp_path / "verdicts.sqlite") as verdicts:
        asker = Asker(model, "film 1", answers)
        for _ in range(2):
            with pytest.raises(MalformedAnswer):
                asker.json("chain", "Sum it up.", Score)
        assert asker.spent.calls == 4
        calls = [judge(verdicts, model, Prompt("Rate {answer}."), Score, answer="A.").cached for _ in range(2)]
        assert calls == [False, True]
