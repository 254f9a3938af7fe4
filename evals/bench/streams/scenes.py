"""Scenes of the streams: pictures with names, drawn places without, and frames of real clips."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from tools.errors import MediaError

WIDTH_PX, HEIGHT_PX = 640, 360
MARGIN = 1.25
"""Size of scenes relative to a frame, so that a view can pan and zoom over them."""
LEAST_ASPECT = 1.15
"""Narrower pictures are skipped: filling a frame would crop their subject."""
CLIP_FRAMES = 24
"""Frames read of a real clip, four a second; a scene shows one of them a second, back and forth."""
DRAWN_SCENES, DRAWN_SHAPES = 40, 14
Part = Literal["dev", "test"]
"""The part for tuning, and the part for reporting: they share no word, and no picture of a folder of many."""


@dataclass(frozen=True)
class Scene:
    """A place in view of a camera.

    Attributes:
        key: unique name among all scenes.
        said: its name in a question, such as `espresso`; empty if it has none.
        names: accepted names in an answer.
        path: the picture or clip; None for a drawn scene.
        number: frame number in a clip, or seed of a drawn scene.
    """

    key: str
    said: str = ""
    names: tuple[str, ...] = ()
    path: Path | None = None
    is_clip: bool = False
    number: int = 0


def gather_scenes(
    pictures: Path | None, clips: Path | None, part: Part = "test", drawn: int = DRAWN_SCENES
) -> list[Scene]:
    """Return all available scenes, in a fixed order.

    Args:
        pictures: a folder of natural pictures `nXXXXXXXX_class_name.jpg` of ImageNet's classes; None uses the ten of
            `evals/suites/attend_core/vision_set`.
        clips: a folder of videos; None omits real clips.
        part: which half of a folder of pictures to use.
        drawn: number of drawn scenes.

    Raises:
        MediaError: if a folder has no file of its kind.
    """
    return [
        *(_natural(pictures, part) if pictures else _own()),
        *(_clips(clips) if clips else []),
        *(Scene(f"drawn {seed}", number=seed) for seed in range(drawn)),
    ]


def views(scene: Scene) -> Sequence[np.ndarray]:
    """Return the pictures of a scene, RGB uint8, `MARGIN` times the size of a frame: one, or those of a clip."""
    if scene.path is None:
        return (_drawn(scene.number),)
    return _clip(scene.path) if scene.is_clip else (_picture(scene.path),)


def _natural(folder: Path, part: Part) -> list[Scene]:
    from PIL import Image

    from agent.models.embedded.imagenet import concepts
    from agent.models.embedded.train.concepts import class_ids

    vocabulary = concepts()
    index_of = {class_id: index for index, class_id in enumerate(class_ids())}
    scenes: dict[str, Scene] = {}
    for path in sorted(folder.glob("n*_*.*")):
        index = index_of.get(path.name.split("_")[0])
        if index is None or index % 2 != ("dev", "test").index(part):
            continue
        with Image.open(path) as image:
            if image.width < LEAST_ASPECT * image.height:
                continue
        own = [phrase for phrase, members in vocabulary.members.items() if members == {index}]
        said = vocabulary.names[index].lower()
        scenes.setdefault(said, Scene(path.stem, said, (said, vocabulary.tags[index].lower(), *own), path))
    if not scenes:
        raise MediaError(f"{str(folder)!r} has no pictures with names.", expected="files like n01530575_brambling.jpg")
    return list(scenes.values())


def _own() -> list[Scene]:
    from evals.bench.vision import NAMES

    folder = Path(__file__).parents[2] / "suites" / "attend_core" / "vision_set"
    return [Scene(name, names[0], names, folder / f"{name}.jpg") for name, names in NAMES.items()]


def _clips(folder: Path) -> list[Scene]:
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in (".mp4", ".avi", ".mkv", ".webm", ".mov")]
    if not paths:
        raise MediaError(f"{str(folder)!r} has no clips.", expected="files ending in .mp4, .avi, .mkv, .webm or .mov")
    return [Scene(f"clip {path.name}", path=path, is_clip=True) for path in paths]


@lru_cache(maxsize=16)
def _picture(path: Path) -> np.ndarray:
    from PIL import Image

    return _cover(np.asarray(Image.open(path).convert("RGB")))


@lru_cache(maxsize=4)
def _clip(path: Path) -> tuple[np.ndarray, ...]:
    from tools.media import Frame, MediaOptions, open_source

    found: list[np.ndarray] = []
    with open_source(str(path), MediaOptions(fps=4.0)) as source:
        for event in source:
            if isinstance(event, Frame):
                found.append(_cover(event.rgb))
            if len(found) == CLIP_FRAMES:
                break
    return (*found, *found[-2:0:-1])


@lru_cache(maxsize=16)
def _drawn(seed: int) -> np.ndarray:
    """Draw a place of plain shapes on a shaded ground, deterministic by seed."""
    import cv2

    pick = random.Random(seed)
    width, height = round(MARGIN * WIDTH_PX), round(MARGIN * HEIGHT_PX)
    top, bottom = ([pick.randint(30, 220) for _ in range(3)] for _ in range(2))
    shade = np.linspace(0, 1, height)[:, None, None]
    rgb = np.ascontiguousarray(np.broadcast_to((1 - shade) * top + shade * bottom, (height, width, 3)).astype(np.uint8))
    for _ in range(DRAWN_SHAPES):
        colour = tuple(pick.randint(0, 255) for _ in range(3))
        x, y, size = pick.randint(0, width), pick.randint(0, height), pick.randint(15, 110)
        if pick.random() < 0.5:
            cv2.circle(rgb, (x, y), size, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(rgb, (x, y), (x + size, y + pick.randint(15, 160)), colour, -1)
    return rgb


def _cover(rgb: np.ndarray) -> np.ndarray:
    """Scale and crop a picture so that it fills a scene."""
    import cv2

    width, height = round(MARGIN * WIDTH_PX), round(MARGIN * HEIGHT_PX)
    scale = max(width / rgb.shape[1], height / rgb.shape[0])
    size = max(width, round(rgb.shape[1] * scale)), max(height, round(rgb.shape[0] * scale))
    scaled = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])
