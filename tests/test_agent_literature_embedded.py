"""The embedded model and the literature: what it asks, and what it tells of the result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from typer.testing import CliRunner

from agent.assistant import open_assistant
from agent.config import Config
from agent.core.events import Answered
from agent.models import load_mllm
from agent.models.embedded.rules.answer import UNREAD
from agent.models.embedded.rules.route_literature import from_literature, heeded, is_worth_a_search, literature_call
from evals.cli import app
from tests.fixtures.scenes import write_scenes
from tests.literature_helpers import AGAINST, FOR, RETRACTED, STATIN, Shelf, paper, write_papers
from tools.literature.retrieval.retrieve import retrieve
from tools.literature.support.answer import NOTHING, NOTICE
from tools.literature.tool import NAME, make_literature
from tools.literature.types import Document, Problem

TOOLS = [{"type": "function", "function": {"name": NAME, "parameters": {}}}]
ARTERITIS = paper(
    31,
    "Tocilizumab led to sustained remission in giant cell arteritis in 56% of patients, against 14% with placebo.",
    title="Tocilizumab in giant cell arteritis",
)
MELATONIN = paper(
    32, "Melatonin increased sleep in zebrafish larvae, by two hours a night.", title="Melatonin and sleep in zebrafish"
)
STROKE = paper(33, "Statins after stroke lowered the risk of another stroke by a fifth.", title="Statins after stroke")


def brought(question: str, *documents: Document, problems: Sequence[Problem] = ()) -> str:
    """The text of the true tool for a question."""
    shelf = Shelf(documents, problems=problems)
    tool = make_literature(lambda query, limit: retrieve(query, [shelf], limit=limit))
    return str(tool.invoke({"query": question}))


def answered(question: str, *documents: Document, problems: Sequence[Problem] = ()) -> str:
    return from_literature([(NAME, brought(question, *documents, problems=problems))]) or ""


# What it makes of the result


def test_where_only_retracted_papers_bear_the_answer_says_so() -> None:
    told = answered(STATIN, RETRACTED)
    assert told == (
        f"Only retracted papers bear on this, and nothing is said on them alone: retracted [{RETRACTED.id}]. ({NOTICE})"
    )


def test_a_retracted_paper_beside_others_is_told_of() -> None:
    told = answered(STATIN, FOR, RETRACTED)
    assert "Statins reduced mortality by 21%" in told
    assert f"Found, too: retracted [{RETRACTED.id}]." in told
    assert "90%" not in told


@pytest.mark.parametrize("documents", [(), (RETRACTED,), (FOR, RETRACTED), (FOR, AGAINST)])
def test_no_word_for_models_reaches_the_answer(documents: tuple[Document, ...]) -> None:
    told = answered(STATIN, *documents)
    assert "Cite a document" not in told
    assert "untrusted" not in told
    assert told.count(NOTICE) == 1


@pytest.mark.parametrize(
    ("failed", "kept"),
    [
        ("The tool failed: the disk is full. Go on without it.", "The tool failed: the disk is full."),
        ("the query has no word. Search for some words. You may call again.", "the query has no word."),
        ("The arguments do not fit: query: too long. Mend them and call again.", "The arguments do not fit"),
    ],
)
def test_a_failure_is_told_without_what_models_are_told(failed: str, kept: str) -> None:
    told = from_literature([(NAME, failed)]) or ""
    assert kept in told
    assert not any(words in told for words in ("Go on", "You may call", "Mend them"))


@pytest.mark.parametrize("documents", [(), (FOR,), (RETRACTED,)])
def test_what_could_not_be_searched_is_told(documents: tuple[Document, ...]) -> None:
    told = answered(
        STATIN, *documents, problems=[Problem(source="pubmed", reason="nothing was sent: nobody said yes.")]
    )
    assert "(Not all could be searched: pubmed: nothing was sent: nobody said yes.)" in told


def test_an_answer_has_as_many_quotes_as_it_has_room_for_and_is_not_cut() -> None:
    words = " ".join(f"finding {number} of {number * 7919} patients" for number in range(24))
    told = "\n".join(f"[pmid:{n}0000000] says: <untrusted>{n} {words}.</untrusted>" for n in range(1, 4))
    call = {"name": NAME, "args": {"query": STATIN}, "id": "a", "type": "tool_call"}
    messages = [HumanMessage(STATIN), AIMessage("", tool_calls=[call]), ToolMessage(told, tool_call_id="a", name=NAME)]
    answer = load_mllm("embedded").invoke(messages).text
    assert answer.endswith(f"[pmid:10000000] ({NOTICE})")
    assert answer.count("“") == answer.count("”") == 1


# Which questions it takes there, and how it asks


@pytest.mark.parametrize(
    "question",
    [
        "what about tocilizumab for giant cell arteritis",
        "Does melatonin increase sleep in zebrafish?",
        "What is known about tocilizumab?",
        "tocilizumab giant cell arteritis",
        "Are there studies on metformin?",
    ],
)
def test_what_names_something_clinical_and_nothing_seen_is_tried(question: str) -> None:
    assert is_worth_a_search(question)
    assert literature_call(question, (), TOOLS, "auto") is not None


@pytest.mark.parametrize(
    "question",
    [
        "Where is the insulin?",
        "Is there a bottle of insulin?",
        "Is there insulin?",
        "Describe the endoscopy",
        "What happens after the laparoscopy?",
        "When does the cholecystectomy begin?",
        "How many ampoules of morphine?",
        "Show me the morphine",
        "Is this cholecystitis?",
        "What about the dog?",
        "And at 0:10?",
        "What about the morphine at 0:10?",
        "Is a robin on the screen?",
        "Does the dolphin swim?",
        "What is the machine doing?",
        "A dog and an aspirin?",
        "What do you see?",
        "Hello!",
        "",
    ],
)
def test_questions_about_the_video_are_not_tried(question: str) -> None:
    assert not is_worth_a_search(question)
    assert literature_call(question, (), TOOLS, "auto") is None


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("What does the literature say about statins after stroke?", "statins after stroke?"),
        ("what about tocilizumab for giant cell arteritis", "tocilizumab for giant cell arteritis"),
        ("Find papers on statins after stroke", "statins after stroke"),
        ("Are there any studies on aspirin in pregnancy?", "aspirin in pregnancy?"),
        ("What evidence is there for statins after stroke?", "statins after stroke?"),
        (STATIN, STATIN),
        ("Is there evidence that statins help after stroke?", "Is there evidence that statins help after stroke?"),
    ],
)
def test_the_literature_is_asked_by_what_the_question_is_about(question: str, query: str) -> None:
    call = literature_call(question, (), TOOLS, "auto")
    assert call is not None
    assert call[1] == {"query": query}


def test_a_search_that_was_only_tried_and_found_nothing_is_forgotten() -> None:
    asked = "Does melatonin increase sleep in zebrafish?"
    nothing, something = brought(asked, FOR), brought(asked, MELATONIN)
    assert nothing.startswith(NOTHING)
    assert heeded(asked, [(NAME, nothing), ("look", "x")]) == (("look", "x"),)
    assert heeded(asked, [(NAME, something)]) == ((NAME, something),)
    assert heeded(STATIN, [(NAME, nothing)]) == ((NAME, nothing),)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 2), ("green", 2)])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    path = write_papers(folder / "in", [ARTERITIS, MELATONIN, STROKE, RETRACTED])
    made = CliRunner().invoke(app, ["literature", "index", str(path), "--no-dense", "--folder", str(folder / "kept")])
    assert made.exit_code == 0, made.output
    return folder / "kept"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("what about tocilizumab for giant cell arteritis", ["sustained remission", f"[{ARTERITIS.id}]"]),
        ("Does melatonin increase sleep in zebrafish?", ["two hours a night", f"[{MELATONIN.id}]"]),
        ("What does the literature say about statins after stroke?", ["by a fifth", f"[{STROKE.id}]"]),
        (STATIN, ["Only retracted papers bear on this", f"retracted [{RETRACTED.id}]"]),
    ],
)
async def test_the_embedded_model_answers_from_the_papers_in_the_chat(
    clip: Path, home: Path, question: str, words: list[str]
) -> None:
    said = await answer_in_the_chat(clip, home, question)
    for word in words:
        assert word in said
    assert "Cite a document" not in said


async def test_a_question_of_which_no_paper_knows_is_answered_as_without_papers(
    clip: Path, home: Path, tmp_path: Path
) -> None:
    asked = "What about ivermectin?"
    assert await answer_in_the_chat(clip, home, asked) == await answer_in_the_chat(clip, tmp_path, asked)


async def answer_in_the_chat(clip: Path, home: Path, question: str) -> str:
    config = Config.model_validate({"folder": home, "take_notes": False})
    async with open_assistant(str(clip), config) as assistant:
        await assistant.watch()
        events = [event async for event in assistant.ask(question)]
    assert isinstance(events[-1], Answered), events[-1]
    return events[-1].answer.text


# What is asked of texts and of medicine without the literature tool

ABSTRACT = "[1] <untrusted>RESULTS: Statins reduced mortality in patients with heart failure.</untrusted>\n\n"


@pytest.mark.parametrize("evidence", [ABSTRACT, ""])
@pytest.mark.parametrize("ending", ["\nAnswer with one word: yes, no or maybe.", ""])
def test_the_embedded_model_decides_nothing_on_papers(evidence: str, ending: str) -> None:
    reply = load_mllm("embedded").invoke(f"{evidence}{STATIN}{ending}")
    assert reply.text == UNREAD
