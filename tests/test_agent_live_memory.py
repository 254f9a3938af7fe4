"""What is remembered of a live source on disk, over restarts, changed settings, and suspends of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.fixtures.faults import Camera, jpeg, settings, wait_for, watching


@pytest.fixture
def camera() -> Iterator[Camera]:
    made = Camera(lambda n: jpeg(1 + n // 10 % 40, n % 50), fps=20)
    yield made
    made.close()


class Thumbnail:
    """A small true encoder: the picture's means over a grid."""

    def __init__(self, name: str, rows: int) -> None:
        self.name, self.dim, self._rows = name, 12 * rows, rows

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        import cv2

        feature = cv2.resize(rgb, (4, self._rows), interpolation=cv2.INTER_AREA).ravel().astype(np.float32) + 1
        return feature / np.linalg.norm(feature)


def test_another_encoder_begins_its_own_key_moments_and_keeps_what_a_person_pinned(
    camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoders = {"one": Thumbnail("one", 4), "as long": Thumbnail("as long", 4), "longer": Thumbnail("longer", 5)}
    monkeypatch.setattr("agent.remembered.load_encoder", encoders.__getitem__)
    before: set[float] = set()
    pinned_s: float | None = None
    for name, same in (("one", True), ("one", True), ("as long", False), ("longer", False), ("longer", True)):
        config = settings(tmp_path, "curvestream")
        config = config.model_copy(update={"memory": config.memory.model_copy(update={"encoder": name})})
        with watching(camera.address, config) as eyes:
            tiers = {moment.t_s: moment.tier for moment in eyes.timeline(0).moments if moment.t_s in before}
            assert tiers == {t_s: "key" if same or t_s == pinned_s else "past" for t_s in before}
            known = eyes.status().key_moments
            wait_for(lambda known=known: eyes.status().key_moments > known + 3)
            assert eyes.status().troubles == []
            if pinned_s is None:
                pinned_s = eyes.pin(eyes.timeline(0).moments[0].t_s).t_s
            moments = eyes.timeline(0).moments
            assert [moment.t_s for moment in moments if moment.pinned] == [pinned_s]
        before = {moment.t_s for moment in eyes.remembered.memory.moments.all()}
