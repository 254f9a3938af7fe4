"""A data folder that Attend 0.1 wrote before its modules were renamed: everything in it can still be read.

`attend chat clip.mp4` and `attend memory build tale.txt` wrote it; neither file is here now.
"""

from __future__ import annotations

import asyncio
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from typer.testing import CliRunner

from agent.cli.main import app
from agent.cli.narrative import built_source, open_store
from agent.config import load_config
from agent.core.checkpoints import FILE_NAME, count_threads, open_threads
from agent.core.state import final_answer, split_turns
from agent.narrative.answer import answer_question
from memory.store.frames import FrameStore
from memory.store.source_dir import source_dirs, source_of
from memory.stream.archive import Archive

STORED = Path(__file__).parent / "fixtures" / "stored_folder_0.1.tar.xz"
WHY = "Why did Anna burn the copy?"


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    with tarfile.open(STORED) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "data"


def attend(stored: Path, *words: str) -> list[dict[str, Any]]:
    """The JSON lines that a command of `attend memory` prints."""
    result = CliRunner().invoke(app, ["memory", *words, "--folder", str(stored), "--json"])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_both_sources_are_listed(stored: Path) -> None:
    tale, clip = attend(stored, "list")
    assert (tale["told"], tale["segments"], tale["events"], tale["entities"]) == ("tale.txt", 1, 3, 6)
    assert (clip["source"], clip["live"], clip["moments"], clip["notes"]) == ("clip.mp4", False, 2, 2)
    assert clip["process"] is None, "the process that wrote it ended"


def test_notes_are_found_by_their_words(stored: Path) -> None:
    assert attend(stored, "search", "GATE") == [
        {"source": "clip.mp4", "t_s": 3.0, "kind": "text", "text": "GATE SHUT"},
    ]


def test_a_story_is_asked_by_command_and_by_program(stored: Path) -> None:
    (printed,) = attend(stored, "ask", "tale.txt", WHY)
    assert "She burned the copy because Ben had lied." in printed["text"]
    assert not printed["abstained"]
    config = load_config({"folder": stored}, environment={})
    with open_store(config) as store:
        source, clock = built_source(store, "tale.txt", config)
        assert answer_question(store, source, WHY, clock).text == printed["text"]


def test_moments_and_their_pictures_are_read(stored: Path) -> None:
    (place,) = source_dirs(stored)
    assert source_of(place) == "clip.mp4"
    archive, pictures = Archive(place), FrameStore(place / "frames", 16 << 20)
    moments = archive.key_moments()
    archive.close()
    assert [moment.kept.t_s for moment in moments] == [0.0, 3.0]
    for moment in moments:
        assert pictures.get(moment.kept.frame_id).shape == (64, 96, 3)


def test_the_conversation_is_read(stored: Path) -> None:
    async def messages() -> list[BaseMessage]:
        async with open_threads(stored / FILE_NAME) as saver:
            found = await saver.aget_tuple({"configurable": {"thread_id": "1532a7e8"}})
            assert found is not None
            return list(found.checkpoint["channel_values"]["messages"])

    assert count_threads(stored) == 1
    (turn,) = split_turns(asyncio.run(messages()))
    answer = final_answer(turn)
    assert turn[0].text == "What is written?"
    assert [message.name for message in turn if message.type == "tool"] == ["read_text"]
    assert "GATE SHUT" in turn[2].text
    assert answer is not None
    assert answer.text.startswith("The text is:")
