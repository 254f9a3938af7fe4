"""What a film shows, before it is made into memory: pictures at even times, scene cuts, words read, and captions."""

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

CUT = 0.2
"""Mean difference of two pictures, 0 to 1, from which on a scene has changed; our choice."""
SAME_WORDS = 0.05
"""Greatest local difference of two pictures, 0 to 1, up to which their words are the same; our choice."""
QUESTION = "What do you see, in order?"
_HEDGED = re.compile(
    r"\b(?:perhaps|maybe|possibly|probably|might|looks like|can't tell|cannot tell|do not recognise)\b", re.IGNORECASE
)
_LEAD = re.compile(r"^(?:[\s,;.:–—-]|\b(?:then|and|i see|i read|there is|there are)\b)+", re.IGNORECASE)
_FORMAT = "2"  # of `Watched`, so that what an older version kept is not taken for it


class Watched(BaseModel):
    """What was seen of a film without a language model.

    Attributes:
        pictures: (time in seconds, frame id) of the pictures that were kept, by time.
        cuts: when the scene changes, seconds.
        texts: (time, frame id, words) of what can be read.
        duration_s: how long it lasts, seconds.
        gaps: stretches that could not be read, as (start, end, reason).
    """

    model_config = ConfigDict(frozen=True)

    pictures: tuple[tuple[float, str], ...] = ()
    cuts: tuple[float, ...] = ()
    texts: tuple[Seen, ...] = ()
    duration_s: float = 0.0
    gaps: tuple[tuple[float, float, str], ...] = ()


def pictures_of(config: Config) -> FrameStore:
    """The store of the pictures of films. Raises StoreError if its folder cannot be made."""
    return FrameStore(config.folder / FOLDER / "frames", config.narrative.quota_mb << 20)


def watch(
    path: Path, source: str, config: Config, answers: Answers, store: FrameStore, progress: Progress | None = None
) -> Watched:
    """Watch a film once: of each stretch, keep the picture that differs most from the one kept before, and read it.

    What was seen of the same file is kept, with what was read in each picture: to watch again costs nothing, unless
    pictures of it have given way to others since.

    Raises:
        MediaError: if the film cannot be read.
        StoreError: if a picture or an answer cannot be stored.
    """
    how = (config.media.fps, config.narrative.pictures, config.narrative.side_px)
    sha = sha_of("watched", _FORMAT, _sha_of_file(path), repr(how))
    row = {"sha": sha, "source": source, "role": "watch", "model": ""}
    if kept := answers.get(row):
        watched = Watched.model_validate_json(kept)
        if {id_ for _, id_ in watched.pictures} <= set(store.ids()):
            return watched
    keeper = _Keeper(source, config.narrative, answers, store)
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
            if before is not None and float(np.abs(sketch.astype(np.int16) - before).mean()) / 255 > CUT:
                cuts.append(item.t_s)
            before, end_s = sketch, item.t_s
            keeper.look(item, sketch)
            if progress:
                progress("watching", round(item.t_s), round(max(lasts_s, item.t_s)))
        keeper.keep()
    watched = Watched(
        pictures=tuple(keeper.pictures),
        cuts=tuple(cuts),
        texts=tuple(keeper.texts),
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
    """Have a model say what the pictures of each segment show, one call a segment.

    A statement stands at the time that it cites. What the model itself calls a guess is left out: a memory that holds
    guesses finds them again as facts.

    Raises:
        ModelError: if the model fails; what it said until then is kept.
    """
    said: list[Seen] = []
    for done, segment in enumerate(segments):
        if progress:
            progress("looking", done, len(segments))
        these = [(t_s, id_) for t_s, id_ in pictures if segment.start_s <= t_s < segment.end_s]
        blocks: list[str | Block] = []
        shown: list[tuple[float, str]] = []
        for t_s, id_ in these:
            try:
                rgb = store.get(id_)
            except StoreError:  # it gave way to others
                continue
            shown.append((t_s, id_))
            side_px = asker.model.abilities.max_side_px
            blocks += [f"[{format_clock(t_s)}]", image_block(rgb, t_s=t_s, frame_id=id_, max_side_px=side_px)]
        if shown:
            text = asker.text("caption", prompt_of("caption"), QUESTION, blocks)
            said += statements(text, shown)
    return said


def statements(text: str, shown: Sequence[tuple[float, str]]) -> list[Seen]:
    """The statements of a caption, each at the picture that it cites, or at the first where it cites none.

    Args:
        text: what a model said.
        shown: (time in seconds, frame id) of the pictures that it was shown; at least one.
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
class _Keeper:
    """Chooses the pictures of a film: of each stretch, the one that differs most from the one before."""

    source: str
    options: NarrativeOptions
    answers: Answers
    store: FrameStore
    pictures: list[tuple[float, str]] = field(default_factory=list)
    texts: list[Seen] = field(default_factory=list)
    _best: tuple[float, Frame, np.ndarray] | None = None
    _shown: np.ndarray | None = None  # the sketch of the picture kept last
    _read: np.ndarray | None = None  # of the picture whose words were read last

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
        """Keep the picture that was chosen of the stretch at hand, and read it where its words may be others."""
        if self._best is None:
            return
        _, frame, sketch = self._best
        id_ = self.store.put(_scaled(frame, self.options.side_px))
        self.pictures.append((frame.t_s, id_))
        if self._read is None or local_change(self._read, sketch) > SAME_WORDS:
            if words := _words_of(frame, id_, self.source, self.answers):
                self.texts.append((frame.t_s, id_, words))
            self._read = sketch
        self._shown, self._best = sketch, None


def _words_of(frame: Frame, id_: str, source: str, answers: Answers) -> str:
    """The words in a picture; those too short to be trusted are left out."""
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


def _sha_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
