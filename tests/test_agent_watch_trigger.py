"""Which moments watches look at: what is new to memory, of recordings and of what plays, with the default settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from agent.config import Config
from agent.models import load_mllm
from agent.perception.session import SourceSession, open_source_session
from agent.watch.monitor import Alert, Watcher
from agent.watch.options import WatchOptions
from agent.watch.trigger import Moment, open_moments
from evals.bench.vision import picture
from memory.stream.options import StreamOptions
from tests.fixtures.scenes import write_scenes
from tools.media import MediaOptions

SIGN_S = 9


@pytest.fixture(scope="module")
def sign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cuts every second, then a still picture in which a sign lights up for two seconds: little beside the cuts."""
    path = tmp_path_factory.mktemp("clips") / "sign.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for second in range(14):
            shown = picture("cat" if second < SIGN_S - 1 and second % 2 else "coffee")
            rgb = np.ascontiguousarray(cv2.resize(shown, (640, 480), interpolation=cv2.INTER_AREA))
            if SIGN_S <= second < SIGN_S + 2:
                cv2.rectangle(rgb, (40, 40), (460, 140), (255, 255, 255), -1)
                cv2.putText(rgb, "GATE OPEN", (55, 112), cv2.FONT_HERSHEY_SIMPLEX, 2.2, (0, 0, 0), 6)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    return path


@contextmanager
def eyes_on(source: Path, config: Config, realtime: bool = False) -> Iterator[SourceSession]:
    session = open_source_session(str(source), config, realtime=realtime)
    try:
        yield session
    finally:
        session.close()


@pytest.mark.parametrize("realtime", [False, True])
def test_a_sign_that_lights_up_is_told_of_by_default_in_a_file_and_where_it_plays(
    sign: Path, tmp_path: Path, realtime: bool
) -> None:
    alerts: list[Alert] = []
    config = Config(folder=tmp_path, take_notes=False)
    model = load_mllm("embedded", config.mllm)
    with eyes_on(sign, config, realtime) as session, Watcher(model, session, WatchOptions(), alerts.append) as watcher:
        watcher.add("the words GATE OPEN are shown")
        while not session.finished:
            session.watch()
        assert watcher.finish(60)
        key = {decision.t_s: decision.state for decision in session.memory.log if decision.key}
    assert key[SIGN_S] == "discard", "the sign is too small a change for the queue"
    assert [alert.t_s for alert in alerts] == [SIGN_S]


def test_moments_that_left_the_log_unread_count_as_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("memory.stream.memory", "agent.watch.trigger"):
        monkeypatch.setattr(f"{module}.LOG_LENGTH", 5)
    clip = write_scenes(tmp_path / "clip.mp4", [("red", 4)])
    config = Config(folder=tmp_path, take_notes=False, memory=StreamOptions(policy="last"), media=MediaOptions(fps=5.0))
    with eyes_on(clip, config) as session:
        moments = open_moments(session, 3)
        session.watch()
        found: list[Moment] = []
        while moment := moments.next(found[-1].t_s if found else None, 30.0):
            found.append(moment)
    assert [moment.t_s for moment in found] == pytest.approx([3.0, 3.2, 3.4, 3.6])
    assert [moment.missed for moment in found] == [15, 0, 0, 0]
