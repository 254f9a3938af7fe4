"""Video ingest for narrative memory: sampled pictures, scene cuts, text in pictures, and captions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from agent.config import Config
from agent.models.blocks import Block, image_block
from agent.models.cached import Answer, sha_of
from agent.narrative.cached_llm import Answers, Asker, prompt_of
from agent.narrative.extract_llm import Progress
from agent.perception.annotator import LEAST_WORD, NOTED_MAX_PX, NOTED_MIN_PX
from memory.narrative.ingest.segments import LENGTH_S, Seen
from memory.narrative.options import FOLDER, NarrativeOptions
from memory.narrative.types import Segment
from memory.store.frames import FrameStore
from memory.stream.keyframes import local_change, make_sketch
from tools.errors import StoreError
from tools.media import Frame, format_clock, open_source
from tools.media.clock import BRACKET, cited_times

CUT_DIFFERENCE = 0.2
"""Minimum mean difference of two pictures, 0 to 1, at a scene change."""
SAME_TEXT_DIFFERENCE = 0.05
"""Maximum local difference of two pictures, 0 to 1, that show the same text."""
QUESTION = "What do you see, in order?"
_HEDGED = re.compile(
    r"\b(?:perhaps|maybe|possibly|probably|might|looks like|can't tell|cannot tell|do not recognise)\b", re.IGNORECASE
)
_LEAD = re.compile(r"^(?:[\s,;.:–—-]|\b(?:then|and|i see|i read|there is|there are)\b)+", re.IGNORECASE)
_FORMAT = "2"  # version of `Watched`, so that cached results of an older one are ignored


class Watched(BaseModel):
    """What was extracted from a film without a language model.

    Attributes:
        pictures: (time in seconds, frame id) of the kept pictures, by time.
        cuts: times of scene changes, in seconds.
        texts: (time, frame id, words) of text in pictures.
        duration_s: duration in seconds.
        gaps: spans that could not be decoded, as (start, end, reason).
    """

    model_config = ConfigDict(frozen=True)

    pictures: tuple[tuple[float, str], ...] = ()
    cuts: tuple[float, ...] = ()
    texts: tuple[Seen, ...] = ()
    duration_s: float = 0.0
    gaps: tuple[tuple[float, float, str], ...] = ()


def pictures_of(config: Config) -> FrameStore:
    """Open the store of film pictures. Raises StoreError if its folder cannot be created."""
    return FrameStore(config.folder / FOLDER / "frames", config.narrative.quota_mb << 20)


def watch(
    path: Path, source: str, config: Config, answers: Answers, store: FrameStore, progress: Progress | None = None
) -> Watched:
    """Watch a film once: from each interval, keep the picture that differs most from the last one kept, and read it.

    The result is cached by the content of the file, so that watching again is free unless some of its pictures were
    replaced since.

    Raises:
        MediaError: if the film cannot be read.
        StoreError: if a picture or an answer cannot be stored.
    """
    how = (config.media.fps, config.narrative.pictures, config.narrative.side_px)
    sha = sha_of("watched", _FORMAT, sha_of_file(path), repr(how))
    row = {"sha": sha, "source": source, "role": "watch", "model": ""}
    if kept := answers.get(row):
        watched = Watched.model_validate_json(kept)
        if {id_ for _, id_ in watched.pictures} <= set(store.ids()):
            return watched
    selector = _PictureSelector(source, config.narrative, answers, store)
    cuts: list[float] = []
    gaps: list[tuple[float, float, str]] = []
    before: np.ndarray | None = None
    end_s = 0.0
    with open_source(str(path), config.media) as opened:
        lasts_s = opened.info.duration_s or 0.0
        for item in opened:
            if not isinstance(item, Frame):
                gaps.append((item.start_s, item.start_s if item.end_s is None else item.end_s, item.reason))
                continue
            sketch = make_sketch(item.rgb)
            if before is not None and float(np.abs(sketch.astype(np.int16) - before).mean()) / 255 > CUT_DIFFERENCE:
                cuts.append(item.t_s)
            before, end_s = sketch, item.t_s
            selector.look(item, sketch)
            if progress:
                progress("watching", round(item.t_s), round(max(lasts_s, item.t_s)))
        selector.keep()
    watched = Watched(
        pictures=tuple(selector.pictures),
        cuts=tuple(cuts),
        texts=tuple(selector.texts),
        duration_s=max(lasts_s, end_s),
        gaps=tuple(gaps),
    )
    answers.put(row, Answer(watched.model_dump_json()), anew=True)
    return watched


def caption(
    segments: Sequence[Segment],
    pictures: Sequence[tuple[float, str]],
    asker: Asker,
    store: FrameStore,
    progress: Progress | None = None,
) -> list[Seen]:
    """Have a model caption the pictures of each segment, one call per segment.

    A statement gets the time that it cites. Statements that the model marks as guesses are left out, since memory would
    return them as facts.

    Raises:
        ModelError: if the model fails; its answers until then are cached.
    """
    captions: list[Seen] = []
    for done, segment in enumerate(segments):
        if progress:
            progress("looking", done, len(segments))
        these = [(t_s, id_) for t_s, id_ in pictures if segment.start_s <= t_s < segment.end_s]
        blocks: list[str | Block] = []
        shown: list[tuple[float, str]] = []
        for t_s, id_ in these:
            try:
                rgb = store.get(id_)
            except StoreError:  # replaced by newer pictures
                continue
            shown.append((t_s, id_))
            side_px = asker.model.abilities.max_side_px
            blocks += [f"[{format_clock(t_s)}]", image_block(rgb, t_s=t_s, frame_id=id_, max_side_px=side_px)]
        if shown:
            text = asker.text("caption", prompt_of("caption"), QUESTION, blocks)
            captions += statements(text, shown)
    return captions


def statements(text: str, shown: Sequence[tuple[float, str]]) -> list[Seen]:
    """Split a caption into statements, each at the picture that it cites, or at the first if it cites none.

    Args:
        text: the model's caption.
        shown: (time in seconds, frame id) of the pictures shown to it; at least one.
    """
    found: list[Seen] = []
    start = 0
    pieces: list[tuple[str, float | None]] = []
    for bracket in BRACKET.finditer(text):
        cited = cited_times(bracket[0])
        pieces.append((text[start : bracket.start()], cited[0] if cited else None))
        start = bracket.end()
    pieces.append((text[start:], None))
    last_s = shown[0][0]
    for piece, cited_s in pieces:
        words = _LEAD.sub("", " ".join(piece.split())).strip(" ,;")
        last_s = last_s if cited_s is None else cited_s
        if len(words) > 1 and not _HEDGED.search(words):
            t_s, id_ = min(shown, key=lambda one: (abs(one[0] - last_s), one[0]))
            found.append((t_s, id_, f"{words[0].upper()}{words[1:].rstrip('.')}."))
    return found


@dataclass
class _PictureSelector:
    """Selects the pictures of a film: from each interval, the one that differs most from the last one kept."""

    source: str
    options: NarrativeOptions
    answers: Answers
    store: FrameStore
    pictures: list[tuple[float, str]] = field(default_factory=list)
    texts: list[Seen] = field(default_factory=list)
    _best: tuple[float, Frame, np.ndarray] | None = None
    _shown: np.ndarray | None = None  # sketch of the last picture kept
    _read: np.ndarray | None = None  # sketch of the last picture read

    def look(self, frame: Frame, sketch: np.ndarray) -> None:
        if not self.options.pictures:
            return
        every_s = LENGTH_S / self.options.pictures
        if self._best is not None and frame.t_s // every_s != self._best[1].t_s // every_s:
            self.keep()
        new = 1.0 if self._shown is None else local_change(self._shown, sketch)
        if self._best is None or new > self._best[0]:
            self._best = new, frame, sketch

    def keep(self) -> None:
        """Keep the selected picture of the current interval, and read it if its text may have changed."""
        if self._best is None:
            return
        _, frame, sketch = self._best
        id_ = self.store.put(_scaled(frame, self.options.side_px))
        self.pictures.append((frame.t_s, id_))
        if self._read is None or local_change(self._read, sketch) > SAME_TEXT_DIFFERENCE:
            if words := _words_of(frame, id_, self.source, self.answers):
                self.texts.append((frame.t_s, id_, words))
            self._read = sketch
        self._shown, self._best = sketch, None


def _words_of(frame: Frame, id_: str, source: str, answers: Answers) -> str:
    """Read the words in a picture, ignoring unreliable short ones."""
    from tools.ocr import read_words

    row = {"sha": sha_of("read", id_, str(NOTED_MAX_PX)), "source": source, "role": "read", "model": ""}
    if kept := answers.get(row):
        return str(json.loads(kept))
    found = [word.text for word in read_words(frame.rgb, NOTED_MAX_PX, NOTED_MIN_PX)]
    words = " ".join(word for word in found if len(word) >= LEAST_WORD)
    answers.put(row, Answer(json.dumps(words)))
    return words


def _scaled(frame: Frame, side_px: int) -> Frame:
    import cv2

    scale = side_px / max(frame.rgb.shape[:2])
    if scale >= 1:
        return frame
    height, width = (max(1, round(side * scale)) for side in frame.rgb.shape[:2])
    return Frame(frame.source, frame.t_s, cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_AREA))


def sha_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
