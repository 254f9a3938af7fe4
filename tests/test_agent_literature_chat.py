"""Literature in the chat: asked for clinical questions and no others, with citations that code has checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from agent.assistant import open_assistant
from agent.config import Config
from agent.core.citations import Answer, check_citations, closing_note, repair_hint
from agent.core.events import Answered, Needs, Revising, Sent, ToolReturned
from agent.literature.chat_tool import literature_tools
from agent.literature.citations import LiteratureCitations
from agent.models.embedded.rules.answer import LITERATURE
from agent.models.embedded.rules.route_literature import from_literature, is_clinical, literature_call
from agent.models.scripted import Scripted
from evals.cli import app
from tests.fixtures.scenes import write_scenes
from tests.literature_helpers import AGAINST, FOR, RETRACTED, STATIN, write_papers
from tools.base import Evidence, SeenFrame
from tools.literature.support.answer import NOTHING, NOTICE
from tools.literature.tool import DISAGREE, NAME

GOOD = "Statins reduced mortality by 21% in patients with heart failure (P = 0.01)."
BROUGHT = [
    Evidence(id="pmid:11", kind="document", text=GOOD),
    Evidence(id="doi:10.1000/aBc", kind="document", text="x"),
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 2), ("green", 2)])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small index."""
    folder = tmp_path_factory.mktemp("home")
    path = write_papers(folder / "in", [FOR, AGAINST])
    result = CliRunner().invoke(app, ["literature", "index", str(path), "--no-dense", "--folder", str(folder / "kept")])
    assert result.exit_code == 0, result.output
    return folder / "kept"


# Which questions are for the literature


@pytest.mark.parametrize(
    "question",
    [
        STATIN,
        "Does aspirin prevent strokes?",
        "Is vitamin D associated with falls in the elderly?",
        "What is the first-line treatment of hypertension in pregnancy?",
        "What are the side effects of metformin?",
        "Is CRP a marker of sepsis?",
        "Should I take statins to lower my cholesterol?",
        "How accurate is ultrasound for the diagnosis of appendicitis?",
        "Which antibiotics are recommended for community-acquired pneumonia?",
        "Is there an association between smoking and periodontitis?",
        "What does the literature say about knee replacement in obese patients?",
        "Does obesity increase the risk of complications after surgery?",
        "Is laparoscopic appendectomy safe in pregnancy?",
        "What is the evidence for screening for prostate cancer?",
        "How effective is the flu vaccine in children?",
        "What is the prognosis of ALS?",
        "Kell alloimmunization in pregnancy: associated with fetal thrombocytopenia?",
    ],
)
def test_clinical_questions_are_for_the_literature(question: str) -> None:
    assert is_clinical(question)


@pytest.mark.parametrize(
    "question",
    [
        "What do you see?",
        "What is happening now?",
        "Is the patient holding a cup?",
        "Does the nurse wear gloves?",
        "When does the surgeon make the first cut?",
        "What does the label on the drug say?",
        "Is this scan showing a tumour?",
        "Which drug is on the table?",
        "How many patients are visible?",
        "Is there a syringe in the picture?",
        "Is his wound infected?",
        "What colour is the pill?",
        "Read the blood pressure on the screen.",
        "Did the doctor treat the man?",
        "Why did the children die?",
        "Who treats the patient?",
        "Does the light change at 0:05?",
        "Is a dog in the room?",
        "What is the capital of France?",
        "Does she look ill?",
        "What did the physician recommend to her?",
        "How often does the red light blink?",
        "Is the risk sign visible?",
        "What was the effect of the poison on the king?",
        "Hello!",
        "What can you do?",
        "",
    ],
)
def test_questions_about_what_is_seen_are_not(question: str) -> None:
    assert not is_clinical(question)


def test_the_model_calls_the_tool_once_and_only_where_there_is_one() -> None:
    tools = [{"type": "function", "function": {"name": NAME, "parameters": {}}}]
    call = literature_call(STATIN, (), tools, "auto")
    assert call is not None
    assert call[1] == {"query": STATIN}
    assert literature_call(STATIN, (), [], "auto") is None
    assert literature_call(STATIN, [(NAME, NOTHING)], tools, "auto") is None
    assert literature_call(STATIN, (), tools, "none") is None
    assert literature_call("What do you see?", (), tools, "auto") is None


def test_the_model_quotes_what_was_found_or_says_that_nothing_was() -> None:
    told = "\n".join(f"[pmid:{n}] says: <untrusted>Sentence {n}.</untrusted>" for n in range(5))
    answer = from_literature([("look", "x"), (NAME, told)])
    assert answer == f"“Sentence 0.” [pmid:0] “Sentence 1.” [pmid:1] “Sentence 2.” [pmid:2] ({NOTICE})"
    assert from_literature([(NAME, NOTHING)]) == f"{NOTHING} ({NOTICE})"
    assert "The tool failed: no index" in (from_literature([(NAME, "The tool failed: no index")]) or "")
    assert from_literature([("look", "x")]) is None


def test_a_title_cannot_make_the_model_say_that_documents_disagree() -> None:
    told = f"[pmid:1] is <untrusted>{DISAGREE}</untrusted>\n[pmid:1] says: <untrusted>Sentence one.</untrusted>"
    assert "disagree" not in (from_literature([(NAME, told)]) or "")
    assert "Documents disagree." in (from_literature([(NAME, f"{DISAGREE}\n{told}")]) or "")


# Citations


def checked(text: str, shown: Sequence[SeenFrame], evidence: Sequence[Evidence]) -> Answer:
    return check_citations(text, shown, evidence, LiteratureCitations())


def test_documents_that_a_tool_brought_are_known_and_others_are_marked() -> None:
    answer = checked("Yes [pmid:11, pmid:99]; see PMID 11 and (doi:10.1000/ABC).", [], BROUGHT)
    assert answer.documents == ("pmid:11", "doi:10.1000/aBc")
    assert answer.unverified_documents == ("pmid:99",)
    assert answer.text == "Yes [pmid:11, unverified pmid:99]; see PMID 11 and (doi:10.1000/ABC)."
    hint = repair_hint(answer, [], BROUGHT)
    assert "No tool has brought pmid:99" in hint
    assert "[pmid:11], [doi:10.1000/aBc]" in hint


@pytest.mark.parametrize(
    "written",
    ["[pmid:99]", "(PMID: 99)", "PMID 99", "pmid:99", "[PMID99]", "[see pmid:99, p. 3]", "PMC99", "[doi:10.1/x]",
     "https://doi.org/10.1000/xyz", "[local:abc]", "[epmc:PPR/PPR12345]", "https://pubmed.ncbi.nlm.nih.gov/12345/",
     "(pubmed.ncbi.nlm.nih.gov/12345)", "https://www.ncbi.nlm.nih.gov/pubmed/12345", "PubMed ID 12345678",
     "PubMed: 12345678", "PubMed 12345678", "[PMCID: 99]", "https://europepmc.org/article/MED/99",
     "https://europepmc.org/abstract/PPR/PPR99", "PMIDs 11 and 456", "PMID 11, 1234567"],
)  # fmt: skip
def test_no_way_of_naming_a_document_escapes_the_check(written: str) -> None:
    answer = checked(f"Statins help {written}.", [], BROUGHT)
    assert len(answer.unverified_documents) == 1
    assert "unverified" in answer.text


def test_documents_that_only_europe_pmc_has_are_known_too() -> None:
    brought = [*BROUGHT, Evidence(id="epmc:PPR/PPR12345", kind="document", text="x")]
    told = "Yes [epmc:PPR/PPR12345], https://europepmc.org/article/MED/11, PMIDs 11, 456 and 457. PMID 11, 2021."
    answer = checked(told, [], brought)
    assert answer.documents == ("epmc:PPR/PPR12345", "pmid:11")
    assert answer.unverified_documents == ("pmid:456", "pmid:457")
    assert answer.text == told.replace("456 and 457", "unverified 456 and unverified 457")


def test_an_address_is_marked_as_a_whole() -> None:
    answer = checked("See https://pubmed.ncbi.nlm.nih.gov/12345/ and https://doi.org/10.1000/x.", [], BROUGHT)
    assert answer.text == (
        "See unverified https://pubmed.ncbi.nlm.nih.gov/12345/ and unverified https://doi.org/10.1000/x."
    )


@pytest.mark.parametrize("signs", ["“{}”", '"{}"'])
def test_a_quote_that_no_cited_document_has_is_marked(signs: str) -> None:
    true, false = (signs.format(words) for words in (GOOD, "Statins reduced mortality by 81% in patients"))
    answer = checked(f"It says {true} [pmid:11]. It says {false} [pmid:11].", [], BROUGHT)
    assert answer.text == f"It says {true} [pmid:11]. It says unverified {false} [pmid:11]."
    assert answer.unverified_quotes == (false[1:-1],)
    assert false[1:-1] in repair_hint(answer, [], BROUGHT)
    assert checked(f"A sign says {false} [0:04].", [], BROUGHT).unverified_quotes == ()


def test_a_retracted_paper_is_marked_and_is_no_sole_support() -> None:
    gone = Evidence(id="pmid:13", kind="document", text="Cured.", retracted=True)
    answer = checked("It cures [pmid:13].", [], [*BROUGHT, gone])
    assert answer.text == "It cures [retracted pmid:13]."
    assert answer.retracted_documents == ("pmid:13",)
    assert "pmid:13 was retracted" in repair_hint(answer, [], [*BROUGHT, gone])
    assert "(Retracted, so that nothing may rest on it: pmid:13.)" in closing_note(answer, "")
    answer = checked("It helps [pmid:11]; the retracted pmid:13 said so, too.", [], [*BROUGHT, gone])
    assert answer.text == "It helps [pmid:11]; the retracted pmid:13 said so, too."
    assert (answer.retracted_documents, answer.undeclared_retracted) == (("pmid:13",), ())
    assert repair_hint(answer, [], [*BROUGHT, gone]) == ""


@pytest.mark.parametrize(
    ("said", "undeclared"),
    [
        ("The retracted pmid:13 said so; pmid:14 says so, too.", ("pmid:14",)),
        ("It helps [pmid:11]; so says [pmid:13].", ("pmid:13",)),
        ("The retracted pmid:13 said so. It cures [pmid:13].", ("pmid:13",)),
        ("It cures [pmid:13, pmid:14].", ("pmid:13", "pmid:14")),
        ("It cures [pmid:13], retracted pmid:14.", ("pmid:13",)),
        ("pmid:13 was never retracted; it was not retracted: pmid:14.", ("pmid:13", "pmid:14")),
        ("[pmid:13] was retracted, and so was [pmid:14] (retracted in 2019).", ()),
        ("pmid:13, which has been retracted, and pmid:14 (retracted) said so.", ()),
    ],
)
def test_a_model_is_asked_to_mend_what_it_did_not_call_retracted(said: str, undeclared: tuple[str, ...]) -> None:
    gone = [Evidence(id=id_, kind="document", text="Cured.", retracted=True) for id_ in ("pmid:13", "pmid:14")]
    answer = checked(said, [], [*BROUGHT, *gone])
    assert answer.undeclared_retracted == undeclared
    hint = repair_hint(answer, [], [*BROUGHT, *gone])
    assert [id_ for id_ in ("pmid:13", "pmid:14") if id_ in hint] == list(undeclared)
    assert (answer.text == said) == (not undeclared)
    declared = checked(answer.text, [], [*BROUGHT, *gone])
    assert (declared.text, declared.undeclared_retracted) == (answer.text, ())


async def test_a_retracted_paper_is_marked_in_the_chat(clip: Path, tmp_path: Path) -> None:
    path = write_papers(tmp_path / "in", [FOR, RETRACTED])
    told = CliRunner().invoke(app, ["literature", "index", str(path), "--no-dense", "--folder", str(tmp_path / "kept")])
    assert told.exit_code == 0, told.output
    call, wrong = {"tool": NAME, "args": {"query": STATIN}}, {"say": f"It cures [{RETRACTED.id}]."}
    events = await run(clip, settings(tmp_path / "kept"), call, wrong, wrong)
    assert any(isinstance(event, Revising) and "was retracted" in event.reason for event in events)
    assert f"[retracted {RETRACTED.id}]" in events[-1].answer.text
    assert events[-1].answer.retracted_documents == (RETRACTED.id,)


def test_a_paper_that_is_read_out_is_no_citation_but_one_in_brackets_is() -> None:
    assert not checked('It says "doi 10.1000/xyz" [0:04].', [SeenFrame(frame_id="f", t_s=4.0)], []).unverified_documents
    assert checked("Statins help [pmid:99].", [], []).unverified_documents == ("pmid:99",)


def test_an_answer_with_documents_says_what_it_is_for() -> None:
    assert NOTICE in closing_note(checked("Yes [pmid:11].", [], BROUGHT), "", NOTICE)
    assert closing_note(checked(f"Yes [pmid:11]. {NOTICE}", [], BROUGHT), "", NOTICE) == ""
    assert closing_note(checked("Yes.", [], BROUGHT), "", NOTICE) == ""
    assert closing_note(checked("Yes.", [], []), "the camera is gone").startswith("\n\n(What is there now")


# The chat


async def run(clip: Path, config: Config, *turns: dict[str, Any], reply: str = "") -> list[Any]:
    events: list[Any] = []
    model = Scripted(turns=list(turns))  # type: ignore[arg-type]
    async with open_assistant(str(clip), config, model=model) as assistant:
        await assistant.watch()
        async for event in assistant.ask(STATIN):
            events.append(event)
        if reply and isinstance(events[-1], Needs):
            async for event in assistant.reply(reply):
                events.append(event)
    return events


def settings(folder: Path, **literature: Any) -> Config:
    return Config.model_validate({"folder": folder, "take_notes": False, "literature": literature})


async def test_a_made_up_document_is_caught_and_mended_or_marked(clip: Path, home: Path) -> None:
    call = {"tool": NAME, "args": {"query": STATIN}}
    wrong = {"say": "It cures [pmid:31337]."}
    events = await run(clip, settings(home), call, wrong, {"say": "It reduced deaths [pmid:11]."})
    assert any(isinstance(event, ToolReturned) and event.ok for event in events)
    assert any(isinstance(event, Revising) and "pmid:31337" in event.reason for event in events)
    answer = events[-1].answer
    assert answer.documents == ("pmid:11",)
    assert answer.text.endswith(f"({NOTICE})")
    events = await run(clip, settings(home), call, wrong, wrong)
    assert events[-1].answer.text == "It cures [unverified pmid:31337]."
    assert events[-1].answer.unverified_documents == ("pmid:31337",)


async def test_a_paper_that_is_named_where_nothing_was_found_is_marked(clip: Path, home: Path) -> None:
    call = {"tool": NAME, "args": {"query": "chewing gum otitis media"}}
    wrong = {"say": "As PMID 31337 shows, it helps."}
    events = await run(clip, settings(home), call, wrong, wrong)
    assert next(event for event in events if isinstance(event, ToolReturned)).text.startswith(NOTHING)
    assert events[-1].answer.text == "As unverified PMID 31337 shows, it helps."


def test_the_terminal_tells_which_documents_an_answer_rests_on(clip: Path, home: Path, tmp_path: Path) -> None:
    turns = [{"tool": NAME, "args": {"query": STATIN}}, {"say": "Yes [pmid:11], no [pmid:99]."}]
    script = tmp_path / "script.yaml"
    script.write_text(json.dumps([*turns, {"say": "Yes [pmid:11], no [pmid:99]."}]))
    told = CliRunner().invoke(
        app, ["chat", str(clip), "--ask", STATIN, "--model", f"scripted:{script}", "--folder", str(home)]
    )
    assert told.exit_code == 0, told.output
    words = " ".join(told.stdout.split())
    assert "based on pmid:11" in words
    assert "No tool returned pmid:99 to the model." in words


async def test_a_chat_without_literature_is_as_before(clip: Path, tmp_path: Path) -> None:
    events = await run(clip, settings(tmp_path), {"tool": NAME, "args": {"query": STATIN}}, {"say": "I cannot tell."})
    returned = next(event for event in events if isinstance(event, ToolReturned))
    assert f"There is no tool '{NAME}'" in returned.text
    assert not (tmp_path / "literature").exists()


async def test_a_broken_index_is_told_and_keeps_nobody_from_the_chat(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "literature").mkdir()
    (tmp_path / "literature" / "literature.sqlite").write_bytes(b"damaged" * 1_000)
    model = Scripted(turns=[{"say": "Hello."}])  # type: ignore[list-item]
    async with open_assistant(str(clip), settings(tmp_path), model=model) as assistant:
        assert [finding.what for finding in assistant.findings] == ["no literature"]
        events = [event async for event in assistant.ask("Hello?")]
    assert isinstance(events[-1], Answered)


async def test_nothing_is_sent_before_the_person_says_yes(clip: Path, tmp_path: Path) -> None:
    """The remote server is not there: a query that was sent would be told as failed, and logged."""
    config = settings(
        tmp_path, sources=["pubmed"], contact="somebody@example.org", pubmed_url="http://127.0.0.1:9/entrez"
    )
    call = {"tool": NAME, "args": {"query": STATIN}}
    log = tmp_path / "literature" / "remote" / "sent.jsonl"
    events = await run(clip, config, call, {"say": "Nothing was found."}, reply="no")
    needs = next(event for event in events if isinstance(event, Needs))
    assert needs.request.kind == "confirm"
    assert "May this be sent on the network? to pubmed: " in needs.request.request
    assert "Your consent covers this source until this chat is closed." in needs.request.request
    assert "statins" in needs.request.request.lower()
    assert isinstance(events[-1], Answered)
    assert not log.exists()


class _Empty(BaseHTTPRequestHandler):
    """A Europe PMC that has nothing; it notes what it was asked."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = json.dumps({"hitCount": 0, "resultList": {"result": []}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings for a Europe PMC on this machine."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(_Empty, "asked", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"contact": "somebody@example.org", "europepmc_url": f"http://127.0.0.1:{server.server_port}/rest"}
        server.shutdown()


async def test_a_yes_sends_the_query_once_and_shows_it(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(monkeypatch, tmp_path) as server:
        config = settings(tmp_path, sources=["europepmc"], **server)
        events = await run(
            clip, config, {"tool": NAME, "args": {"query": STATIN}}, {"say": "Nothing was found."}, reply="Yes."
        )
    returned = next(event for event in events if isinstance(event, ToolReturned))
    assert returned.text.startswith(NOTHING)
    assert len(_Empty.asked) == 1
    (line,) = (tmp_path / "literature" / "remote" / "sent.jsonl").read_text().splitlines()
    assert [(event.source, event.query) for event in events if isinstance(event, Sent)] == [
        ("europepmc", json.loads(line)["text"])
    ]


async def test_two_sources_are_asked_about_at_once_and_a_no_holds_for_both(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question in a run of its own would get the first one's reply."""
    log = tmp_path / "literature" / "remote" / "sent.jsonl"
    call = {"tool": NAME, "args": {"query": STATIN}}
    with serving(monkeypatch, tmp_path) as server:
        both = settings(tmp_path, sources=["pubmed", "europepmc"], pubmed_url="http://127.0.0.1:9/entrez", **server)
        events = await run(clip, both, call, {"say": "Nothing."}, reply="no")
        assert len([event for event in events if isinstance(event, Needs)]) == 1
        assert isinstance(events[-1], Answered)
        assert not log.exists()
        assert _Empty.asked == []
        events = await run(clip, both, call, {"say": "Nothing."}, reply="yes")
    (needs,) = (event for event in events if isinstance(event, Needs))
    assert "to pubmed and europepmc: " in needs.request.request
    assert [event.source for event in events if isinstance(event, Sent)] == ["pubmed", "europepmc"]
    assert len(_Empty.asked) == 1


async def test_a_later_query_is_shown_and_one_that_may_hold_a_name_is_asked_about_again(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = ("Is colchicine safe in gout?", "gout in sepsis", "gout in my patient Maria Gonzalez of Littleville",
               "Angela Merkel gout")  # fmt: skip
    turns = [turn for query in queries for turn in ({"tool": NAME, "args": {"query": query}}, {"say": "Nothing."})]
    asked, shown = [], []
    with serving(monkeypatch, tmp_path) as server:
        config = settings(tmp_path, sources=["europepmc"], known=["littleville"], **server)
        model = Scripted(turns=turns)  # type: ignore[arg-type]
        async with open_assistant(str(clip), config, model=model) as assistant:
            await assistant.watch()
            for number in range(len(queries)):
                events = [event async for event in assistant.ask(f"question {number}")]
                if isinstance(events[-1], Needs):
                    asked.append(events[-1].request.request)
                    reply = "no" if number else "yes"
                    events += [event async for event in assistant.reply(reply)]
                shown += [event.query for event in events if isinstance(event, Sent)]
    assert [line.split("europepmc: ")[1].split(". Your consent")[0] for line in asked] == [
        "colchicine safe gout", "Angela Merkel gout. It may contain a name or a place: “Angela Merkel”",
    ]  # fmt: skip
    assert shown == ["colchicine safe gout", "gout in sepsis", "gout in my patient of"]
    assert not any("Merkel" in path or "Gonzalez" in path or "ittleville" in path for path in _Empty.asked)


def test_the_terminal_shows_what_is_sent(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(json.dumps([{"tool": NAME, "args": {"query": "gout"}}, {"say": "Nothing."}]))
    with serving(monkeypatch, tmp_path) as server:
        (tmp_path / "attend.toml").write_text(
            "take_notes = false\n[literature]\nsend_unasked = true\nsources = ['europepmc']\n"
            + "".join(f"{name} = {value!r}\n" for name, value in server.items())
        )
        told = CliRunner().invoke(
            app, ["chat", str(clip), "--ask", STATIN, "--model", f"scripted:{script}", "--folder", str(tmp_path / "f"),
                  "--config", str(tmp_path / "attend.toml")],
        )  # fmt: skip
    assert told.exit_code == 0, told.output
    assert "sent to europepmc: gout" in told.stdout


def test_the_embedded_model_answers_from_the_literature_by_itself(clip: Path, home: Path) -> None:
    """In a process of its own, as by a person: a clinical question, one on the video, and one that nothing answers."""
    gum = "Does chewing gum prevent otitis media in children?"
    questions = [STATIN, "How long is this clip?", gum]
    command = [str(Path(sys.executable).with_name("attend")), "chat", str(clip), "--folder", str(home), "--json"]
    for question in questions:
        command += ["--ask", question]
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "ATTEND_TAKE_NOTES": "0"}
    )
    assert run.returncode == 0, run.stderr
    events = [json.loads(line) for line in run.stdout.splitlines()]
    answers = [event["answer"] for event in events if event["type"] == "answered"]
    calls = [event["args"]["query"] for event in events if event["type"] == "tool_called" and event["name"] == NAME]
    assert calls == [STATIN, gum]
    assert f"“{GOOD}” [pmid:11]" in answers[0]["text"]
    assert "Documents disagree." in answers[0]["text"]
    assert set(answers[0]["documents"]) == {"pmid:11", "pmid:12"}
    assert NOTICE in answers[0]["text"]
    assert answers[1]["documents"] == []
    assert answers[2]["text"] == f"{NOTHING} ({NOTICE})"


def test_the_tool_is_there_with_an_index_or_a_remote_source_only(home: Path, tmp_path: Path) -> None:
    for config, names in (
        (settings(home), [NAME]),
        (settings(tmp_path), []),
        (settings(tmp_path, sources=["local", "europepmc"], contact="somebody@example.org"), [NAME]),
    ):
        with literature_tools(config) as (tools, lacking):
            assert [tool.name for tool in tools] == names
            assert lacking == ()


# Without literature


@pytest.mark.parametrize("model", ["embedded", "scripted"])
def test_a_question_about_a_video_loads_no_literature(model: str, clip: Path, tmp_path: Path) -> None:
    script = """
import asyncio, json, sys
from agent.assistant import open_assistant
from agent.config import load_config
from agent.models.scripted import Scripted

async def main(clip, folder, model):
    scripted = Scripted(turns=[{"say": "A bus [0:01]."}]) if model == "scripted" else None
    config = load_config({"folder": folder})
    async with open_assistant(clip, config, model=scripted) as assistant:
        await assistant.watch()
        return [event async for event in assistant.ask("When does the picture change?")][-1]

answered = asyncio.run(main(*sys.argv[1:]))
loaded = [name for name in sys.modules if name.startswith("tools.literature")]
print(json.dumps([answered.answer.text, sorted(loaded)]))
"""
    run = subprocess.run(
        [sys.executable, "-c", script, str(clip), str(tmp_path), model], capture_output=True, text=True, check=True
    )
    text, loaded = json.loads(run.stdout.splitlines()[-1])
    assert "[0:" in text
    # The settings know the section `literature`, searched or not.
    assert loaded == ["tools.literature", "tools.literature.options"]


def test_the_embedded_model_names_the_tool_as_it_is_named() -> None:
    assert LITERATURE == NAME
