"""The command `attend` as a person or a script runs it: real processes where one is started, killed or typed to."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.fixtures.here import attend_here
from tests.fixtures.scenes import write_scenes

ATTEND = [sys.executable, "-c", "from agent.cli.main import main; main()"]
POLICY = ["--policy", "last", "--budget", "4"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 2), ("green", 2)])


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEND_TAKE_NOTES", "false")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))


def script(folder: Path, *turns: dict[str, Any]) -> str:
    path = folder / f"script{len(list(folder.glob('script*')))}.json"
    path.write_text(json.dumps(list(turns)))
    return f"scripted:{path}"


def attend(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return attend_here(arguments, cwd)


def attend_alone(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as scripts do."""
    return subprocess.run([*ATTEND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=120)


def events(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert run.stdout, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_script_asks_and_reads_json(clip: Path, tmp_path: Path) -> None:
    model = script(tmp_path, {"say": "Green [0:03]."}, {"say": "Red [0:00]."})
    arguments = ["--model", model, "--folder", tmp_path, *POLICY, "--ask", "What?", "--ask", "And before?", "--json"]
    run = attend_alone("chat", clip, *arguments, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    opened, *rest = events(run)
    assert (opened["type"], opened["local"], opened["kind"]) == ("opened", True, "video")
    answers = [event["answer"] for event in rest if event["type"] == "answered"]
    assert [answer["text"] for answer in answers] == ["Green [0:03].", "Red [0:00]."]
    assert answers[0]["citations"][0]["t_s"] == pytest.approx(3.0)


def test_until_hides_what_comes_later_in_a_recording(clip: Path, tmp_path: Path) -> None:
    arguments = ["--model", script(tmp_path, {"say": "Red [0:03]."}, {"say": "Red [0:03]."}), "--folder", tmp_path]
    run = attend("chat", clip, *arguments, *POLICY, "--until", "0:01", "--ask", "What?", "--json", cwd=tmp_path)
    assert events(run)[-1]["answer"]["unverified"] == [3.0]


def test_a_script_that_must_wait_for_a_person_exits_with_3_and_goes_on_later(clip: Path, tmp_path: Path) -> None:
    ask = {"tool": "ask_user", "args": {"kind": "confirm", "request": "Is it yours?"}}
    same = ["chat", clip, "--folder", tmp_path, "--thread", "t", *POLICY]
    waiting = attend(*same, "--model", script(tmp_path, ask), "--ask", "Whose is it?", cwd=tmp_path)
    assert waiting.returncode == 3, waiting.stderr
    assert "Is it yours?" in waiting.stdout
    assert "--thread t" in waiting.stdout
    model = script(tmp_path, {"say": "Yours, then."})
    done = attend(*same, "--model", model, "--ask", "yes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Yours, then." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.mp4"], ["'missing.mp4'", "does not exist"]),
        (["."], ["cannot find pictures", ".png"]),
        (["gopher://x"], ["'gopher://x'", "rtsp://"]),
        (["clip", "--model", "embeded"], ["'embeded'", "Did you mean"]),
        (["clip", "--model", "scripted:none.json"], ["none.json"]),
        (["clip", "--model", "openai:m@http://127.0.0.1:1/v1"], ["no server answers"]),
        (["clip", "--policy", "best"], ["'best'", "curvestream"]),
        (["clip", "--budget", "0"], ["memory.capacity", "0"]),
        (["clip", "--fps", "-1"], ["media.fps", "-1"]),
        (["clip", "--until", "noon"], ["'noon'", "m:ss"]),
        (["clip", "--config", "none.toml"], ["none.toml"]),
        (["clip", "--loop"], ["--realtime"]),
    ],
)
def test_bad_input_is_one_clear_line(clip: Path, tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    given = [str(clip) if argument == "clip" else argument for argument in arguments]
    run = attend("chat", *given, "--folder", tmp_path / "f", "--ask", "x", cwd=tmp_path)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert run.stderr.startswith("error:")
    for word in words:
        assert word in run.stderr


def test_foreign_words_are_shown_as_they_are_and_cannot_steer_the_terminal(clip: Path, tmp_path: Path) -> None:
    odd = tmp_path / "[red].mp4"
    odd.write_bytes(clip.read_bytes())
    said = "See :car: [/x] \x1b]0;owned\x07\x1b[2J."
    turns = [{"tool": "[/x]", "args": {"a": "[/y]"}}, {"say": said}]
    arguments = ["--folder", tmp_path, "--thread", "[/t]", *POLICY, "--ask", "[/q]"]
    run = attend("chat", odd, "--model", script(tmp_path, *turns), *arguments, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    for shown in ("[red].mp4", "[/t]", "[/q]", "[/x]", ":car:"):
        assert shown in run.stdout
    assert "\x1b" not in run.stdout
    assert "\x07" not in run.stdout
    exact = attend("chat", odd, "--model", script(tmp_path, {"say": said}), *arguments, "--json", cwd=tmp_path)
    assert events(exact)[-1]["answer"]["text"] == said
    wrong = attend("chat", "[/x].mp4", cwd=tmp_path)
    assert wrong.stderr.startswith("error: '[/x].mp4' does not exist")


def test_what_a_model_said_is_recorded_and_replayed(clip: Path, tmp_path: Path) -> None:
    same = ["chat", clip, *POLICY, "--ask", "What?", "--json"]
    model = script(tmp_path, {"tool": "look"}, {"say": "Green [0:03]."})
    first = attend(*same, "--model", model, "--record", "c.jsonl", "--folder", tmp_path / "a", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    again = attend(*same, "--model", "replay:c.jsonl", "--folder", tmp_path / "b", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert events(again)[-1]["answer"] == events(first)[-1]["answer"]


def terminal(clip: Path, folder: Path, model: str, *arguments: str) -> "pexpect.spawn[str]":
    command = ["chat", str(clip), "--folder", str(folder), "--model", model, *POLICY, *arguments]
    return pexpect.spawn(ATTEND[0], [*ATTEND[1:], *command], encoding="utf-8", timeout=60, dimensions=(40, 200))


def test_ctrl_c_stops_the_answer_first_and_the_program_second(clip: Path, tmp_path: Path) -> None:
    model = script(tmp_path, {"say": "never ending " * 500, "tokens_per_s": 20}, {"say": "Here I am."})
    child = terminal(clip, tmp_path, model)
    child.expect("you>")
    child.sendline("Tell me everything.")
    child.expect("never ending never")
    child.sendintr()
    child.expect("Stopped")
    child.expect("you>")
    child.sendline("Still there?")
    child.expect("Here I am")
    child.expect("you>")
    assert "Here I am" not in child.before, "an answer is shown once"
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_the_dialogue_shows_tools_asks_the_person_and_keeps_history(clip: Path, tmp_path: Path) -> None:
    ask = {"tool": "ask_user", "args": {"kind": "choose", "request": "Which one?", "choices": ["left", "right"]}}
    child = terminal(clip, tmp_path, script(tmp_path, ask, {"say": "The right one [0:03]."}))
    child.expect("you>")
    child.sendline("Which?")
    child.expect("ask_user")
    child.expect("2. right")
    child.expect("reply>")
    child.sendline("up")
    child.expect("not one of the choices")
    child.expect("reply>")
    child.sendline("2")
    child.expect(r"The right one \[0:03\]")
    child.expect("based on 0:03")
    child.expect("you>")
    child.sendline("/kept")
    child.expect("clear")
    child.sendline("/quit")
    child.expect(pexpect.EOF)
    assert "Which?" in (tmp_path / "questions.txt").read_text()


def test_a_killed_answer_goes_on_in_the_next_process(clip: Path, tmp_path: Path) -> None:
    look = {"tool": "look", "args": {"start": "0:00", "end": "0:01"}}
    slow = script(tmp_path, look, {"say": "slow words " * 500, "tokens_per_s": 20})
    command = [
        "chat",
        str(clip),
        "--folder",
        str(tmp_path),
        "--thread",
        "t",
        "--model",
        slow,
        *POLICY,
        "--ask",
        "Go on",
    ]
    with (tmp_path / "output.txt").open("w") as output:
        process = subprocess.Popen([*ATTEND, *command], stdout=output, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        deadline = time.monotonic() + 60
        while "slow words" not in (tmp_path / "output.txt").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    child = terminal(clip, tmp_path, script(tmp_path, {"say": "Resumed with what was seen."}), "--thread", "t")
    child.expect("Resuming the interrupted question")
    child.expect("Resumed with what was seen")
    child.expect("you>")
    child.sendline("/history")
    child.expect("you> Go on")
    child.sendline("/quit")
    child.expect(pexpect.EOF)


def test_forgetting_everything_removes_the_conversations_but_those_that_go_on(clip: Path, tmp_path: Path) -> None:
    model = script(tmp_path, {"say": "It says GATE CLOSED [0:01]."}, {"say": "Still GATE CLOSED [0:01]."})
    asked = ["--model", model, "--folder", tmp_path / "kept", *POLICY, "--ask", "What?", "--ask", "And now?"]
    assert attend("chat", clip, *asked, cwd=tmp_path).returncode == 0
    child = terminal(clip, tmp_path / "kept", script(tmp_path, {"say": "A river."}), "--thread", "mine")
    child.expect("you>")
    child.sendline("What is it?")
    child.expect("A river")
    child.expect("you>")
    forget = ["memory", "forget", "--all", "--yes", "--folder", tmp_path / "kept"]
    run = attend(*forget, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "1 conversation removed" in run.stdout
    assert "1 conversation kept, in use by a running process: mine" in run.stdout
    stored = (tmp_path / "kept").glob("threads.sqlite*")
    raw = b"".join(path.read_bytes() for path in stored)
    assert b"GATE CLOSED" not in raw
    assert b"A river" in raw
    child.sendline("/quit")
    child.expect(pexpect.EOF)
    assert "What is it?" not in (tmp_path / "kept" / "questions.txt").read_text()
    assert "1 conversation removed" in attend(*forget, cwd=tmp_path).stdout
    assert b"A river" not in b"".join(path.read_bytes() for path in (tmp_path / "kept").glob("threads.sqlite*"))
    assert attend(*forget, cwd=tmp_path).stdout.strip() == "Nothing to forget."


def test_what_to_forget_is_checked_before_anybody_is_asked(tmp_path: Path) -> None:
    for wrong, words in (
        [[], "unclear what to forget"],
        [["--before", "foo"], "invalid moment 'foo'"],
        [["--all", "--source", "nosuch"], "nothing is remembered of 'nosuch'"],
    ):
        run = attend("memory", "forget", *wrong, "--folder", tmp_path, cwd=tmp_path)
        assert run.returncode == 1
        assert words in run.stderr
        assert "Permanently delete" not in run.stdout
    refused = subprocess.run(
        [*ATTEND, "memory", "forget", "--all", "--folder", str(tmp_path)],
        input="n\n", capture_output=True, text=True, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "Permanently delete all that is remembered of all sources" in refused.stdout
    none = attend("memory", "forget", "--before", "1h", "--yes", "--folder", tmp_path, cwd=tmp_path)
    assert none.stdout.strip() == "Nothing to forget."


def test_memory_show_prints_and_draws_what_is_kept(clip: Path, tmp_path: Path) -> None:
    run = attend("memory", "show", clip, "--folder", tmp_path, "--png", tmp_path / "m.png", "--json", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    rows = events(run)
    assert [row["t_s"] for row in rows] == pytest.approx([0, 1, 2, 3])
    assert rows[-1]["shown_as"] == "clear"
    assert all(row["reason"] for row in rows)
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")


def test_doctor_is_content_here_and_names_an_intruder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fine = attend_alone("doctor", "--json", "--folder", tmp_path, cwd=tmp_path)
    assert fine.returncode == 0, fine.stdout
    (tmp_path / "tools-1.0.dist-info").mkdir()
    (tmp_path / "tools-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: tools\nVersion: 1.0\n")
    (tmp_path / "tools-1.0.dist-info" / "top_level.txt").write_text("tools\n")
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent.parent}{os.pathsep}{tmp_path}")
    broken = attend_alone("doctor", "--json", "--folder", tmp_path, cwd=tmp_path)
    assert broken.returncode == 1
    (failed,) = [check for check in events(broken) if check["status"] == "failed"]
    assert "'tools'" in failed["found"]
    assert "pip uninstall tools" in failed["remedy"]


def test_doctor_asks_the_model_server(tmp_path: Path) -> None:
    arguments = ["--model", "openai:m@http://127.0.0.1:1/v1", "--folder", tmp_path, "--json"]
    run = attend("doctor", *arguments, cwd=tmp_path)
    assert run.returncode == 1
    assert any(check["name"] == "model" and check["status"] == "failed" for check in events(run))


def test_the_graph_for_langgraph_dev_is_where_its_file_says(clip: Path, tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    named = json.loads((root / "langgraph.json").read_text())["graphs"]["attend"]
    file, function = named.split(":")
    program = f"""
import asyncio, runpy
make = runpy.run_path({str(root / file)!r})[{function!r}]
async def main():
    graph = await make()
    print((await graph.ainvoke({{"messages": [("user", "What?")]}}))["answer"]["text"])
    assert await make() is graph
asyncio.run(main())
"""
    settings = {"ATTEND_SOURCE": str(clip), "ATTEND_FOLDER": str(tmp_path), "ATTEND_MEMORY__POLICY": "last"}
    settings["ATTEND_MODEL"] = script(tmp_path, {"say": "Red."})
    environment = {**os.environ, **settings}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=100)
    assert run.stdout.strip() == "Red.", run.stderr


def test_models_lists_every_form(tmp_path: Path) -> None:
    forms = " ".join(row["form"] for row in events(attend("models", "--json", cwd=tmp_path)))
    assert all(form in forms for form in ("embedded", "hf:", "llama:", "openai:", "scripted:", "replay:"))
