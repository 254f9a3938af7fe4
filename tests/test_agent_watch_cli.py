"""`attend watch` as a person or a script runs it: real processes, exit codes, Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from memory.store.source_dir import source_dirs
from memory.stream.archive import Archive
from memory.stream.notes import Notes
from tests.fixtures import here
from tests.fixtures.faults import Camera, jpeg, wait_for
from tests.fixtures.scenes import write_scenes
from tools.media.health import PAIRS

ATTEND = [sys.executable, "-c", "from agent.cli.main import main; main()"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 2), ("green", 2)])


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")


def script(folder: Path, *verdicts: str, why: str = "Seen.") -> str:
    """A model that gives verdicts in order, each at the time that is new."""
    turns = [{"say": json.dumps({"verdict": verdict, "why": why})} for verdict in verdicts]
    path = folder / f"script{len(list(folder.glob('script*')))}.json"
    path.write_text(json.dumps(turns))
    return f"scripted:{path}"


def command(clip: object, folder: Path, model: str, *arguments: object) -> list[str]:
    given = ["watch", clip, "--model", model, "--folder", folder / "f", "--policy", "last", *arguments]
    return [*ATTEND, *map(str, given)]


def attend(clip: object, folder: Path, model: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as scripts do."""
    run = command(clip, folder, model, *arguments)
    return subprocess.run(run, capture_output=True, text=True, cwd=folder, timeout=120)


def attend_here(clip: object, folder: Path, model: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the same in this process."""
    return here.attend_here(command(clip, folder, model, *arguments)[len(ATTEND) :], folder)


def records(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert run.stdout, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_alerts_are_printed_with_their_times_and_frames(clip: Path, tmp_path: Path) -> None:
    model = script(tmp_path, "no", "yes", "yes", "no", why="Open [/x] \x1b[2J.")
    run = attend_here(clip, tmp_path, model, "--when", "the gate [b]opens")
    assert run.returncode == 0, run.stderr
    assert "nothing leaves this machine" in run.stdout
    assert "0:01 the gate [b]opens: Open [/x]" in run.stdout
    assert "shown: 0:00 (" in run.stdout
    assert "1 alert, 4 checked" in run.stdout
    assert "\x1b" not in run.stdout


def test_a_script_reads_json(clip: Path, tmp_path: Path) -> None:
    model = script(tmp_path, *["yes", "no"] * 4)
    arguments = ["--when", "a", "--when", "b", "--cooldown", 0, "--budget", 1000, "--until", "0:02", "--json"]
    run = attend(clip, tmp_path, model, *arguments)
    assert run.returncode == 0, run.stderr
    opened, *alerts, ended = records(run)
    assert (opened["type"], opened["source"], opened["local"], opened["leaves"]) == ("watching", "scenes.mp4", True, [])
    assert [watch["watch"]["condition"] for watch in opened["watches"]] == ["a", "b"]
    assert [(alert["type"], alert["condition"], alert["t_s"]) for alert in alerts] == [("alert", "a", 0.0)]
    assert len(alerts[0]["frames"][0]["frame_id"]) == 64
    assert (ended["type"], ended["reason"]) == ("ended", "the source ended")
    assert [watch["checked"] for watch in ended["watches"]] == [3, 3], "up to 0:02"


def test_once_ends_with_the_first_alert_and_tells_scripts_whether_it_came(clip: Path, tmp_path: Path) -> None:
    came = attend_here(clip, tmp_path, script(tmp_path, "no", "yes", "no", "yes"), "--when", "x", "--once", "--json")
    assert came.returncode == 0, came.stderr
    assert [record["type"] for record in records(came)] == ["watching", "alert", "ended"]
    never = attend_here(clip, tmp_path, script(tmp_path, *["no"] * 4), "--when", "x", "--once")
    assert never.returncode == 4, never.stderr


def test_a_model_that_can_judge_none_exits_with_3(clip: Path, tmp_path: Path) -> None:
    run = attend_here(clip, tmp_path, "embedded", "--when", "the nurse looks tired", "--when", "the door opens")
    assert run.returncode == 3, run.stderr
    assert "cannot recognise 'looks', 'nurse', 'tired'" in run.stdout
    assert "name a larger model" in run.stdout
    later = attend_here(clip, tmp_path, script(tmp_path, *["cannot judge"] * 4, why="No picture tells."), "--when", "x")
    assert later.returncode == 3, later.stderr
    assert "No picture tells." in later.stdout


@pytest.mark.parametrize(("once", "code"), [([], 0), (["--once"], 4)])
def test_ctrl_c_leaves(clip: Path, tmp_path: Path, once: list[str], code: int) -> None:
    run = command(clip, tmp_path, script(tmp_path, *["no"] * 50), "--when", "x", "--realtime", "--loop", *once)
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout
        while "watching for" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        output, problems = process.communicate(timeout=60)
    assert process.returncode == code, problems
    assert "stopped" in output
    assert "Traceback" not in problems


def test_a_played_file_ends_by_itself_or_at_the_time_named(clip: Path, tmp_path: Path) -> None:
    whole = attend_here(clip, tmp_path, script(tmp_path, *["no"] * 20), "--when", "x", "--realtime", "--json")
    assert records(whole)[-1]["reason"] == "the source ended"
    part = attend_here(
        clip,
        tmp_path,
        script(tmp_path, *["no"] * 20),
        "--when",
        "x",
        "--realtime",
        "--loop",
        "--until",
        "0:05",
        "--json",
    )
    assert part.returncode == 0, part.stderr
    assert records(part)[-1]["reason"] == "watched until 0:05"


def test_it_is_said_at_the_start_what_leaves_the_machine(clip: Path, tmp_path: Path) -> None:
    far = attend_here(
        clip, tmp_path, script(tmp_path, *["no"] * 4), "--when", "x", "--webhook", "https://u:p4ss@example.org/t0ken"
    )
    assert far.returncode == 0, far.stderr
    assert "alerts go to https://***@example.org/..." in far.stdout
    near = attend_here(
        clip, tmp_path, script(tmp_path, *["no"] * 4), "--when", "x", "--webhook", "http://127.0.0.1:1/t0ken"
    )
    assert "nothing leaves this machine" in near.stdout
    for secret in ("p4ss", "t0ken"):
        assert secret not in far.stdout + far.stderr + near.stdout + near.stderr


def test_alerts_that_no_webhook_took_are_told(clip: Path, tmp_path: Path) -> None:
    model = script(tmp_path, "yes", *["no"] * 3)
    run = attend_here(clip, tmp_path, model, "--when", "x", "--webhook", "http://127.0.0.1:1/t0ken")
    assert run.returncode == 0, run.stderr
    assert "1 undelivered" in run.stdout
    assert "cannot reach http://127.0.0.1:1/..." in run.stdout
    assert "t0ken" not in run.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--when", " "], ["1 to 500 characters"]),
        (["--when", "x", "--webhook", "mailto:me"], ["'mailto:me'", "http"]),
        (["--when", "x", "--budget", "0"], ["watch.checks_per_minute", "0"]),
        (["--when", "x", "--cooldown", "-5"], ["watch.cooldown_s", "-5"]),
        (["--when", "x", "--until", "noon"], ["'noon'"]),
        (["--when", "x", "--loop"], ["--realtime"]),
    ],
)
def test_bad_input_is_one_clear_line(clip: Path, tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    run = attend_here(clip, tmp_path, script(tmp_path, "no"), *arguments)
    assert run.returncode == 1
    assert run.stderr.startswith("error:"), run.stderr
    assert "Traceback" not in run.stderr
    for word in words:
        assert word in run.stderr


@pytest.mark.parametrize("as_json", [True, False])
def test_what_goes_wrong_with_a_camera_is_told_while_it_is_watched(tmp_path: Path, as_json: bool) -> None:
    camera = Camera(lambda n: jpeg(1, n % 50), fps=20)
    good = camera.draw
    arguments = ["--when", "x", "--fps", "20", *(["--json"] if as_json else [])]
    run = command(camera.address, tmp_path, script(tmp_path, *["no"] * 500), *arguments)
    lines: list[str] = []

    def told() -> list[str]:
        return [line for line in lines if "picture" in line]

    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        output = process.stdout
        assert output
        reader = threading.Thread(target=lambda: lines.extend(iter(output.readline, "")))
        reader.start()
        try:
            wait_for(lambda: lines)
            told_of = camera.served  # its noise must be known before it can be called frozen
            wait_for(lambda: camera.served >= told_of + 3 * PAIRS, 60)
            for bad, words in ((0, "black picture since "), (-1, "lens may be covered"), (1, "frozen picture since ")):
                camera.draw = lambda n, bad=bad: jpeg(bad)
                wait_for(lambda words=words: words in "".join(told()[-1:]))
                camera.draw = good
                wait_for(lambda: "the picture is good again" in told()[-1])
            camera.on = False
            wait_for(lambda: "no new picture for " in told()[-1])
            camera.on = True
            wait_for(lambda: "the picture is good again" in told()[-1])
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            reader.join()
            camera.close()
    bad = ("black picture since ", "lens may be covered", "frozen picture since ")
    assert [sum(words in line for line in told()) for words in bad] == [1, 1, 1], "each once"
    over = ["the picture is good again" in line for line in told()]
    assert over == [False, True] * (len(over) // 2)  # a starved camera may be without a new picture more than once
    if as_json:
        troubles = [json.loads(line) for line in told()]
        assert {(trouble["type"], trouble["about"]) for trouble in troubles} == {("trouble", "picture")}
        assert [trouble["over"] for trouble in troubles] == over
        assert [trouble["t_s"] for trouble in troubles] == sorted(trouble["t_s"] for trouble in troubles)


def test_a_camera_that_is_lost_for_good_is_not_called_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEND_MEDIA__RECONNECT_ATTEMPTS", "4")
    camera = Camera(lambda n: jpeg(1, n % 50), fps=10)
    run = command(camera.address, tmp_path, script(tmp_path, *["no"] * 500), "--when", "x", "--json")
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            served = camera.served
            wait_for(lambda: camera.served > served + 10)
            camera.on = False
            output, problems = process.communicate(timeout=60)
        finally:
            camera.close()
    assert process.returncode == 1, problems
    told = [record for record in map(json.loads, output.splitlines()) if record["type"] == "trouble"]
    assert "no new picture for " in next(record["text"] for record in told if record["about"] == "picture")
    assert not [record for record in told if record["over"]]


def test_what_is_wrong_with_the_memory_is_told_and_live_sources_are_noted_for_every_model(tmp_path: Path) -> None:
    camera = Camera(lambda n: jpeg(1 + n // 30, n), fps=10)
    try:
        for _ in range(2):
            arguments = ["--when", "x", "--until", "0:03", "--json", "--policy", "curvestream"]
            run = attend(camera.address, tmp_path, script(tmp_path, *["no"] * 50), *arguments)
            assert run.returncode == 0, run.stderr
            (place,) = source_dirs(tmp_path / "f")
            (place / "memory.sqlite").write_bytes(b"no database" * 100)
    finally:
        camera.close()
    (trouble,) = (record for record in records(run) if record["type"] == "trouble")
    assert (trouble["about"], "memory.sqlite' was damaged" in trouble["text"]) == ("source", True)
    with Notes(place, camera.address) as notes:
        assert len(notes) > 0


def test_a_camera_gives_the_time_of_day_and_its_end_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if subprocess.run(["/usr/bin/python3", "-c", check], capture_output=True).returncode:
        missing = "no RTSP server: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("ATTEND_MEDIA__RECONNECT_ATTEMPTS", "0")
    server = [
        "/usr/bin/python3", str(Path(__file__).parent / "fixtures" / "rtsp_server.py"), str(port), "nurse", "s3cret",
    ]  # fmt: skip
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as camera:
        try:
            assert camera.stdout
            assert camera.stdout.readline() == "ready\n"
            began_s = time.time()
            address = f"rtsp://nurse:s3cret@127.0.0.1:{port}/cam"
            for _ in range(2):  # the second time its timeline goes on
                until = ("--when", "x", "--until", "0:02", "--json")
                part = subprocess.run(
                    command(address, tmp_path, script(tmp_path, *["no"] * 200), *until),
                    capture_output=True, text=True, cwd=tmp_path, timeout=60,
                )  # fmt: skip
                assert part.returncode == 0, part.stderr
                assert records(part)[-1]["reason"] == "watched until 0:02"
                archive = Archive(next(source_dirs(tmp_path / "f")))
                begun_s = max((gap.end_s or 0.0 for gap in archive.gaps() if "nobody" in gap.reason), default=0.0)
                assert (archive.clock("last_s") or 0.0) >= begun_s + 2.0
                archive.close()
            run = command(address, tmp_path, script(tmp_path, "yes", *["no"] * 200), "--when", "x", "--json")
            with subprocess.Popen(
                run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
            ) as process:
                assert process.stdout
                first, alert = (process.stdout.readline() for _ in range(2))
                camera.kill()
                rest, problems = process.communicate(timeout=60)
        finally:
            camera.kill()
    assert began_s - 5 < json.loads(alert)["wall_s"] < time.time()
    assert json.loads(rest.splitlines()[-1])["reason"] == "the source ended"
    assert process.returncode == 1
    assert problems.startswith("error: 'rtsp://***@127.0.0.1")
    assert "ended" in problems
    assert "s3cret" not in first + alert + rest + problems
