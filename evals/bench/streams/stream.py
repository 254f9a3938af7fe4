"""Long synthetic stream with exact ground truth: its content at each second is known, and drawn only on request."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from evals.bench.streams.scenes import HEIGHT_PX, MARGIN, WIDTH_PX, Part, Scene, views
from tools.media.types import Frame

VERSION = 2
"""Increment when the same seed gives other frames, which invalidates caches."""
NOISES = 24
"""Fields of sensor noise. They repeat in random order, never twice in a row, so that frames of a still scene repeat bit
for bit now and then, and cached results can be reused."""
NOISE_SIGMA = 2.5
"""Standard deviation of the sensor noise, of 255."""
BRIEF_S = 2
"""Duration of most words."""

_WORDS = re.findall(
    r"\w+",
    """HARBOUR LANTERN VELVET PLATFORM GRANITE SUMMIT COPPER MEADOW ORCHARD THUNDER PARCEL MARBLE WINDMILL BLOSSOM
CANYON PEPPER SADDLE TUNNEL VIOLET WALNUT ANCHOR BEACON CARNIVAL DOLPHIN EMBER FALCON GARDEN HAMMER ISLAND JACKET KERNEL
LEMON MAGNET NECTAR OLIVE PILLOW QUARRY RIBBON SILVER TIMBER UMBRELLA VALLEY WAGON YELLOW ZEBRA ARCTIC BAMBOO CEDAR
DESERT EAGLE FOREST GINGER HONEY INDIGO JUNGLE KITCHEN LAGOON MAPLE NORTH OCEAN PLANET QUEEN RIVER SUNSET TEMPLE UNION
VOYAGE WINTER ALPINE BRIDGE CASTLE DIAMOND ENGINE FEATHER GOLDEN HARVEST IVORY JOURNEY KINGDOM LIBRARY MIDNIGHT
NATURE ORANGE PALACE RAINBOW SHADOW TREASURE VILLAGE WHISPER AUTUMN BUTTON CIRCLE DRAGON ELEVEN FINGER GRAVITY
HUNTER INSECT JASMINE KETTLE LADDER MIRROR NEEDLE OYSTER PENCIL RABBIT SCHOOL TURTLE URGENT VACUUM WEALTH
ACORN BALCONY CAMERA DANCER EFFORT FABRIC GALLERY HELMET INVITE JUNIOR KITTEN LEGEND MELODY NOVEMBER OCTOBER PARADE
RADIO SAFFRON TABLET UNICORN VICTORY WALTZ BAKERY COTTON DENTIST ELBOW FLUTE GUITAR HORIZON ICICLE JUPITER KOALA
LOBSTER MUSTARD NAPKIN OPERA PYRAMID QUILT ROCKET SALMON TULIP VIOLIN WIZARD BISCUIT CACTUS DOMINO ENVELOPE FOUNTAIN
GOBLET HAZEL IGLOO JIGSAW KARATE LILAC MUFFIN NUTMEG ORBIT PANTHER RAVEN SPIRAL TANGO UTOPIA VULTURE WAFFLE YOGURT
BARREL CANDLE DAISY EMERALD FROST GLACIER HERON JELLY LEMUR MAMMOTH NICKEL OTTER PUZZLE ROBIN SPARROW TIGER""",
)
WORDS: dict[Part, list[str]] = {"dev": _WORDS[::2], "test": _WORDS[1::2]}

Motion = Literal["still", "pan", "zoom"]


@dataclass(frozen=True)
class Shot:
    """A scene in view from `start_s` until before `end_s`, in whole seconds."""

    start_s: int
    end_s: int
    scene: Scene
    motion: Motion
    seed: int


@dataclass(frozen=True)
class Sign:
    """A word in view from `start_s` until before `end_s`: on a sign over part of the scene, or on a card over all."""

    start_s: int
    end_s: int
    word: str
    card: bool
    seed: int


class Stream:
    """A stream at one frame a second; the same arguments give the same frames.

    Alternates between lively stretches (cuts every few seconds, pans, zooms, scenes that return) and still ones, where
    only the sensor's noise changes. Words appear every half minute to minute, and less often in still stretches; most
    are shown for two seconds.

    Args:
        seed: of all random choices.
        length_s: duration, in whole seconds.
        scenes: the available scenes.
        still_s: minimum and maximum length of a still stretch in seconds.
        lively_s: the same of a lively one.
        part: whose words appear.
    """

    def __init__(
        self,
        seed: int,
        length_s: int,
        scenes: Sequence[Scene],
        still_s: tuple[int, int] = (600, 1500),
        lively_s: tuple[int, int] = (360, 780),
        part: Part = "test",
    ) -> None:
        self.seed, self.length_s, self.part = seed, length_s, part
        self.name = f"stream {seed}"
        pick = random.Random(f"{VERSION} {seed} {length_s}")
        self.shots = tuple(_shots(pick, length_s, scenes, still_s, lively_s))
        self.signs = tuple(_signs(pick, length_s, self.shots, still_s[0], WORDS[part]))
        order = random.Random(seed)
        self._noise = [0]
        while len(self._noise) < length_s:
            self._noise.append((self._noise[-1] + order.randint(1, NOISES - 1)) % NOISES)

    def shot_at(self, t_s: float) -> Shot:
        """Return the shot in view at a time."""
        return next(shot for shot in self.shots if shot.start_s <= t_s < shot.end_s)

    def sign_at(self, t_s: float) -> Sign | None:
        """Return the word in view at a time, if any."""
        return next((sign for sign in self.signs if sign.start_s <= t_s < sign.end_s), None)

    def frame(self, t_s: int) -> Frame:
        """Draw the frame of a second."""
        import cv2

        shot, sign = self.shot_at(t_s), self.sign_at(t_s)
        rgb = _view(shot, t_s)
        if sign:
            _put_sign(rgb, sign)
        noise = _noises()[self._noise[t_s]]
        return Frame(self.name, float(t_s), cv2.add(rgb, noise, dtype=cv2.CV_8U))

    def frames(self, start_s: int = 0) -> Iterator[Frame]:
        """Draw all frames in order, one at a time."""
        return (self.frame(t_s) for t_s in range(start_s, self.length_s))


def _shots(
    pick: random.Random,
    length_s: int,
    scenes: Sequence[Scene],
    still_s: tuple[int, int],
    lively_s: tuple[int, int],
) -> Iterator[Shot]:
    kinds = [
        [scene for scene in scenes if scene.names],
        [scene for scene in scenes if scene.is_clip],
        [scene for scene in scenes if scene.path is None],
    ]
    for kind in kinds:
        pick.shuffle(kind)
    used: list[Scene] = []
    t_s, lively = 0, True

    def next_scene() -> Scene:
        if len(used) > 3 and pick.random() < 0.2:
            return pick.choice(used[:-1])
        usable = [(kind, weight) for kind, weight in zip(kinds, (0.65, 0.15, 0.2), strict=True) if kind]
        kind = pick.choices([kind for kind, _ in usable], [weight for _, weight in usable])[0]
        kind.append(scene := kind.pop(0))  # in rotation, so that no scene returns before all were shown
        return scene

    while t_s < length_s:
        end_s = t_s + (pick.randint(*(lively_s if lively else still_s)))
        while t_s < min(end_s, length_s):
            motion: Motion = pick.choice(("still", "pan", "zoom")) if lively else "still"
            lasts_s = pick.choice((6, 9, 14, 20, 30, 45, 90)) if lively else end_s - t_s
            scene = next_scene()
            while used and scene.key == used[-1].key:
                scene = next_scene()
            used.append(scene)
            yield Shot(t_s, min(t_s + lasts_s, length_s), scene, motion, pick.randrange(1 << 30))
            t_s += lasts_s
        lively = not lively


def _signs(
    pick: random.Random, length_s: int, shots: Sequence[Shot], still_s: int, words: Sequence[str]
) -> Iterator[Sign]:
    unused = [*words]
    pick.shuffle(unused)
    shown: list[str] = []
    t_s = pick.randint(8, 20)
    while t_s < length_s - 4:
        again = len(shown) > 4 and (pick.random() < 0.15 or not unused)
        word = pick.choice(shown[:-1]) if again else unused.pop()
        if shown and word == shown[-1]:
            continue
        lasts_s = pick.choice((BRIEF_S, BRIEF_S, BRIEF_S, BRIEF_S, 4, 8))
        yield Sign(t_s, t_s + lasts_s, word, pick.random() < 0.3, pick.randrange(1 << 30))
        shown.append(word)
        shot = next(shot for shot in shots if shot.start_s <= t_s < shot.end_s)
        still = shot.end_s - shot.start_s >= still_s
        t_s += lasts_s + (pick.randint(90, 300) if still else pick.randint(22, 60))


def _view(shot: Shot, t_s: int) -> np.ndarray:
    """Return a copy of the part of a scene in view."""
    import cv2

    pick = random.Random(shot.seed)
    choice = views(shot.scene)
    rgb = choice[(t_s - shot.start_s + pick.randrange(len(choice))) % len(choice)]
    progress = (t_s - shot.start_s) / max(1, shot.end_s - shot.start_s - 1)
    zoom, (x, y) = MARGIN, (pick.random(), pick.random())
    if shot.motion == "pan":
        x = progress if pick.random() < 0.5 else 1 - progress
    elif shot.motion == "zoom":
        zoom = 1 + (MARGIN - 1) * (progress if pick.random() < 0.5 else 1 - progress)
    width, height = rgb.shape[1] / zoom, rgb.shape[0] / zoom
    left, top = x * (rgb.shape[1] - width), y * (rgb.shape[0] - height)
    scale = WIDTH_PX / width
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    return cv2.warpAffine(rgb, matrix, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _put_sign(rgb: np.ndarray, sign: Sign) -> None:
    from PIL import Image, ImageDraw, ImageFont

    pick = random.Random(sign.seed)
    back, ink = pick.choice((("#ffffff", "#101010"), ("#f4d03a", "#151515"), ("#14345c", "#ffffff")))
    width, height = (WIDTH_PX, HEIGHT_PX) if sign.card else (pick.randint(280, 380), pick.randint(84, 120))
    left, top = (
        (0, 0) if sign.card else (pick.randint(8, WIDTH_PX - width - 8), pick.randint(8, HEIGHT_PX - height - 8))
    )
    board = Image.new("RGB", (width, height), back)
    draw = ImageDraw.Draw(board)
    size = 96 if sign.card else 64
    while draw.textlength(sign.word, ImageFont.load_default(size)) > width - 30:
        size -= 4
    draw.text((width / 2, height / 2), sign.word, fill=ink, font=ImageFont.load_default(size), anchor="mm")
    rgb[top : top + height, left : left + width] = np.asarray(board)


@lru_cache(maxsize=1)
def _noises() -> list[np.ndarray]:
    random_ = np.random.default_rng(0)
    shape = (NOISES, HEIGHT_PX, WIDTH_PX, 3)
    return list(np.rint(random_.normal(0, NOISE_SIGMA, shape)).astype(np.int8))
