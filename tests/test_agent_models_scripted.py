"""Model strings, scripts and cassettes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from agent.models import load_mllm
from agent.models.blocks import image_block
from agent.models.cassette import record
from agent.models.protocol import Abilities
from agent.models.scripted import Scripted, Turn
from tests.mllm_conformance import Zoom, picture
from tools.errors import ModelError


def write(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("embeded", "Did you mean `embedded`"),
        ("opena:x", "Did you mean `openai:MODEL@BASE_URL`"),
        ("", "not a model string"),
        ("openai:", "not a model string"),
        ("gpt-9", "Expected one of `embedded`"),
    ],
)
def test_an_unknown_model_string_is_told_the_forms(spec: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        load_mllm(spec)


def test_turns_are_used_in_order_where_they_fit(tmp_path: Path) -> None:
    script = write(
        tmp_path / "script.yaml",
        """
        turns:
          - {when: red CAR, tool: look, args: {t_s: 5}}
          - say: A cyclist.
          - say: Nothing else.
        """,
    )
    model = load_mllm(f"scripted:{script}")
    assert model.invoke("Who is there?").text == "A cyclist."
    call = model.invoke("Where is the red car?").tool_calls[0]
    assert (call["name"], call["args"]) == ("look", {"t_s": 5})
    assert model.invoke("And a red car?").text == "Nothing else."
    with pytest.raises(ModelError, match=r"no answer for call 4.*at most 3 calls"):
        model.invoke("More?")


def test_a_script_may_hold_turns_for_single_samples(tmp_path: Path) -> None:
    script = write(tmp_path / "script.yaml", "turns: [{say: other}]\nsamples: {7: [{say: seven}, {say: again}]}")
    model = load_mllm(f"scripted:{script}")
    assert isinstance(model, Scripted)
    seven, another = model.for_sample("7"), model.for_sample("8")
    assert [another.invoke("?").text, seven.invoke("?").text, seven.invoke("?").text] == ["other", "seven", "again"]
    assert model.for_sample("7").invoke("?").text == "seven"


def test_another_seed_shares_the_model(tmp_path: Path) -> None:
    model = load_mllm("openai:m@http://127.0.0.1:1/v1")
    other = model.reseeded(7)
    assert (other.options.seed, model.options.seed) == (7, None)  # type: ignore[attr-defined]
    assert other._chat.seed == 7  # type: ignore[attr-defined]
    assert load_mllm(f"scripted:{write(tmp_path / 's.yaml', '- say: a')}").reseeded(7).invoke("?").text == "a"


def test_a_script_in_json_may_state_abilities(tmp_path: Path) -> None:
    held = {"turns": [{"say": "Hello."}], "abilities": {"images": False, "context_tokens": 100}}
    model = load_mllm("scripted:" + write(tmp_path / "script.json", json.dumps(held)))
    assert model.abilities == Abilities(images=False, context_tokens=100)
    with pytest.raises(ModelError, match="1 picture cannot be shown"):
        model.invoke([HumanMessage([image_block(picture())])])
    with pytest.raises(ModelError, match="cannot call tools"):
        model.bind_tools([Zoom])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("turns: []", "no turns"),
        ("say: hello", "no turns"),
        ("- {say: a, args: {}}\n- {say: a, args: {b: 1}}", "turns.1"),
        ("- {tool: }", "needs `say` or `tool`"),
        ("- {say: x, when: '('}", "regular expression"),
        ("- {say: x, wen: y}", "wen"),
        ("- {say: x, tokens_per_s: 0}", "tokens_per_s"),
        ("[", "cannot be read"),
    ],
)
def test_a_faulty_script_is_refused_where_it_is_wrong(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        load_mllm("scripted:" + write(tmp_path / "script.yaml", text))


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.yaml"):
        load_mllm(f"scripted:{tmp_path / 'nowhere.yaml'}")


def test_the_white_space_of_an_answer_is_kept() -> None:
    said = "  One\n\n- two  three \n"
    assert Scripted(turns=[Turn(say=said)]).invoke("?").text == said


def test_produced_tokens_count_what_was_streamed() -> None:
    model = Scripted(turns=[Turn(say="one two three four")])
    stream = model.stream("?")
    next(stream)
    next(stream)
    stream.close()
    assert model.produced_tokens == 2


def test_a_cassette_answers_like_the_model_and_holds_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "calls" / "cassette.jsonl"
    question = [HumanMessage([image_block(picture(), t_s=5.0), {"type": "text", "text": "What?"}])]
    script = Scripted(
        turns=[Turn(say="A square."), Turn(say="Closer:", tool="Zoom", args={"side": "left", "times": 2})]
    )
    model = record(script, path)
    first = model.invoke(question)
    second = model.bind_tools([Zoom]).invoke("Zoom in.")
    replay = load_mllm(f"replay:{path}")
    assert replay.abilities == script.abilities
    again = replay.invoke(question)
    assert (again.text, again.usage_metadata) == (first.text, first.usage_metadata)
    repeated = replay.bind_tools([Zoom]).invoke("Zoom in.")
    assert (repeated.text, repeated.tool_calls) == (second.text, second.tool_calls)
    text = path.read_text()
    assert question[0].content[0]["base64"][:40] not in text  # type: ignore[index]
    assert text.count('"sha256"') == 3
    with pytest.raises(ModelError, match="ends after 2"):
        replay.invoke("More?")


def test_recording_goes_on_in_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    for said in ("One.", "Two."):
        record(Scripted(turns=[Turn(say=said)]), path).invoke("?")
    replay = load_mllm(f"replay:{path}")
    assert [replay.invoke("?").text, replay.invoke("?").text] == ["One.", "Two."]
    with pytest.raises(ModelError, match="holds calls of 'scripted'"):
        record(Scripted(spec="scripted:other", turns=[Turn(say="x")]), path)


def test_a_changed_request_is_shown_as_a_difference(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    record(Scripted(turns=[Turn(say="A square.")]), path).invoke("What is red?")
    with pytest.raises(ModelError, match=r"call 1 of") as caught:
        load_mllm(f"replay:{path}").invoke("What is blue?")
    assert "- " in str(caught.value)
    assert "What is red?" in str(caught.value)
    assert "+ " in str(caught.value)
    assert "What is blue?" in str(caught.value)


def test_a_changed_picture_is_a_mismatch(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    record(Scripted(turns=[Turn(say="A square.")]), path).invoke([HumanMessage([image_block(picture())])])
    with pytest.raises(ModelError, match="sha256"):
        load_mllm(f"replay:{path}").invoke([HumanMessage([image_block(picture(90))])])


def test_a_failed_call_fails_again(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    model = record(Scripted(turns=[Turn(when="never", say="x")]), path)
    with pytest.raises(ModelError):
        model.invoke("?")
    with pytest.raises(ModelError, match="no answer for call 1"):
        load_mllm(f"replay:{path}").invoke("?")


def test_keys_and_headers_are_never_recorded(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    model = record(Scripted(turns=[Turn(say="A square.")]), path)
    model.bind(api_key="sk-secret", extra_headers={"Authorization": "Bearer sk-secret"}, max_tokens=5).invoke("?")
    assert "sk-secret" not in path.read_text()
    assert '"max_tokens": 5' in path.read_text()


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"cassette": 1, "model": "m", "abilities": {"sees": 1}}'])
def test_a_file_that_is_no_cassette_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        load_mllm("replay:" + write(tmp_path / "cassette.jsonl", text))
