"""Vision benchmark of a model, on a small fixed set that no part of the embedded model was trained on.

    python -m evals.bench.vision [--model embedded] [--pictures DIR] [--json]

Four parts, each with its share of right answers, Wilson's 95% interval, and the chance level:

- `naming`: the main object of ten natural pictures, open question. Chance: how often the answers fit other pictures.
- `reading`: large words on drawn screens. Chance: one word of the list at random.
- `changes`: all times at which a clip changes, and no others. Chance: the right number of times at random.
- `help`: whether it asks for help, or says so, on covered, blurred, dark and overexposed pictures, and not on good
  ones. Chance: a coin, since half of them are good.

With `--pictures`, a folder of pictures `nXXXXXXXX_class_name.jpg` of ImageNet's classes, also the naming of every tenth
class from index 7: `held-out exact` (its name or a synonym) and `held-out soft` (or one of its two nearest kinds). The
language part of the embedded model was never trained to name these; its vision network was trained on all 1,000.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.messages import AIMessage, HumanMessage

from agent.models import load_mllm
from agent.models.blocks import image_block, text_of
from agent.models.protocol import MLLM
from evals.stats.means import wilson
from tools.ask_user import Intervention
from tools.errors import MediaError
from tools.media import format_clock
from tools.media.clock import cited_times

# Fixed before the first run: common names of each picture; any of them counts.
NAMES = {
    "cat": ("cat",), "coffee": ("coffee", "espresso", "cup"), "rocket": ("rocket", "missile"),
    "astronaut": ("astronaut", "woman", "person", "space suit", "spacesuit"),
    "cameraman": ("camera", "tripod", "photographer", "cameraman", "man"), "coins": ("coin", "coins"),
    "moon": ("moon", "crater", "craters"), "clock": ("clock", "wall clock"),
    "palace": ("palace", "temple", "building", "pavilion", "pagoda"), "flower": ("flower", "blossom", "dahlia"),
}  # fmt: skip
WORDS = (
    "OPEN", "Platform 9", "Emergency exit", "TOTAL 42.50", "Please wait", "Kitchen", "Flight LH 1042", "NO SMOKING",
    "Welcome back", "Room 217", "Save changes", "Battery 80%", "Heart rate 72", "Museum", "Push to start", "Danger",
    "Tuesday", "Ticket office", "Sold out", "Low fuel",
)  # fmt: skip
HELD_OUT = range(7, 1000, 10)
N_CLIPS, CLIP_FRAMES = 20, 10
SIDE_PX = 320


@dataclass(frozen=True)
class Score:
    """One part's result: right answers of `n`, their share with Wilson's 95% interval, and the chance level."""

    n: int
    right: int
    score: float
    low: float
    high: float
    chance: float


def scored(hits: Sequence[bool], chance: float) -> Score:
    """Summarise answers that are right or wrong."""
    right = sum(hits)
    return Score(len(hits), right, right / len(hits), *wilson(right, len(hits)), chance)


def main() -> None:
    """Run the parts and print their scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--pictures", type=Path, help="a folder of ImageNet-like pictures")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    model = load_mllm(arguments.model)
    scores = {"naming": naming(model), "reading": reading(model), "changes": changes(model), "help": asking(model)}
    if arguments.pictures:
        exact, soft = held_out(model, arguments.pictures)
        scores |= {"held-out exact": exact, "held-out soft": soft}
    if arguments.json:
        print(json.dumps({name: asdict(score) for name, score in scores.items()}))
        return
    print(f"{'':<16}{'n':>5}{'score':>8}{'95% interval':>16}{'chance':>9}")
    for name, s in scores.items():
        print(f"{name:<16}{s.n:>5}{s.score:>8.2f}{f'{s.low:.2f} to {s.high:.2f}':>16}{s.chance:>9.3f}")


def naming(model: MLLM) -> Score:
    """Ask for the main object of natural pictures."""
    answers = {name: text_of(ask(model, [(None, picture(name))], "What is this?")) for name in NAMES}
    return _named(answers, NAMES)


def reading(model: MLLM) -> Score:
    """Ask for large words on drawn screens."""
    hits = []
    for index, words in enumerate(WORDS):
        answer = text_of(ask(model, [(None, screen(words, index))], "What does the screen say?"))
        hits.append(_plain(words) in _plain(answer))
    return scored(hits, 1 / len(WORDS))


def changes(model: MLLM) -> Score:
    """Ask for all times at which a clip changes."""
    hits, chances = [], []
    for seed in range(N_CLIPS):
        frames, times = clip(seed)
        answer = text_of(ask(model, frames, "When does the picture change?"))
        told = set(cited_times(answer))
        # For a clip that does not change, the answer may cite its span.
        hits.append(told == set(times) if times else "nothing changes" in answer.lower() or not told)
        chances.append(1 / math.comb(CLIP_FRAMES - 1, len(times)) / 4)
    return scored(hits, sum(chances) / len(chances))


def asking(model: MLLM) -> Score:
    """Check that the model asks for help, or says so, on bad pictures, and not on good ones."""
    # The clock was taken with a moving camera: it is neither good nor bad.
    good = [picture(name) for name in NAMES if name != "clock"] + [screen(words, 0) for words in WORDS[:11]]
    hits = []
    for index, rgb in enumerate(good):
        hits.append(not _helped(ask(model, [(3.0, rgb)], "What is this?", tools=True)))
        hits.append(_helped(ask(model, [(3.0, spoilt(rgb, index))], "What is this?", tools=True)))
    return scored(hits, 0.5)


def held_out(model: MLLM, folder: Path) -> tuple[Score, Score]:
    """Ask for the names of classes that the language part was never trained on.

    Raises:
        MediaError: if the folder has no such pictures.
    """
    from PIL import Image

    from agent.models.embedded.imagenet import concepts
    from agent.models.embedded.train.concepts import class_ids

    vocabulary, ids = concepts(), class_ids()
    paths = {path.name.split("_")[0]: path for path in sorted(folder.glob("n*_*.*"))}
    indices = [index for index in HELD_OUT if ids[index] in paths]
    if not indices:
        raise MediaError(f"{str(folder)!r} has no pictures of held-out classes.", expected="n01530575_brambling.jpg")
    answers, exact, soft = {}, {}, {}
    for index in indices:
        rgb = np.asarray(Image.open(paths[ids[index]]).convert("RGB"))
        answers[index] = text_of(ask(model, [(None, rgb)], "What is this?"))
        own = [phrase for phrase, members in vocabulary.members.items() if members == {index}]
        exact[index] = (vocabulary.names[index], vocabulary.tags[index], *own)
        soft[index] = (*exact[index], *vocabulary.kinds[index][:2])
    return _named(answers, exact), _named(answers, soft)


def ask(model: MLLM, frames: Sequence[tuple[float | None, np.ndarray]], question: str, *, tools: bool = False) -> Any:
    """Ask about frames at times (s), presented as the agent does; return the model's message."""
    content: list[str | dict[str, Any]] = []
    for t_s, rgb in frames:
        if t_s is not None:
            content.append({"type": "text", "text": f"[{format_clock(t_s)}]"})
        content.append(image_block(rgb, t_s=t_s))
    content.append({"type": "text", "text": question})
    definition = {
        "type": "function",
        "function": {
            "name": "ask_user",
            "description": "Ask the person for help when the frames cannot answer.",
            "parameters": Intervention.model_json_schema(),
        },
    }
    bound = model.bind_tools([definition]) if tools else model
    return bound.invoke([HumanMessage(content=content)])


@lru_cache
def picture(name: str) -> np.ndarray:
    """Return a picture of the set, RGB (height, width, 3)."""
    from PIL import Image

    with files("evals.suites.attend_core").joinpath("vision_set", f"{name}.jpg").open("rb") as file:
        return np.asarray(Image.open(file).convert("RGB"))


def screen(words: str, style: int) -> np.ndarray:
    """Draw a screen with large words and a bar and a button beside them, RGB (360, 640, 3)."""
    from PIL import Image, ImageDraw, ImageFont

    back, ink = (("#f4f4f0", "#202028"), ("#10243c", "#f0f0f0"), ("#e8d9a0", "#502020"))[style % 3]
    image = Image.new("RGB", (640, 360), back)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 640, 30), fill="#5080a0")
    draw.rounded_rectangle((480, 290, 600, 335), 8, outline=ink, width=3)
    draw.text((40 + 10 * (style % 5), 110), words, fill=ink, font=ImageFont.load_default(64))
    return np.asarray(image)


def clip(seed: int) -> tuple[list[tuple[float | None, np.ndarray]], list[float]]:
    """Compose ten frames, one a second, of one to four pictures seen by an unsteady camera.

    Returns:
        The frames with their times in seconds, and the times of the changes.
    """
    pick = random.Random(seed)
    n_scenes = 1 + seed % 4
    starts = [0, *sorted(pick.sample(range(1, CLIP_FRAMES), n_scenes - 1))]
    names = pick.sample(sorted(NAMES), n_scenes)
    frames: list[tuple[float | None, np.ndarray]] = []
    for t_s in range(CLIP_FRAMES):
        scene = max(index for index, start in enumerate(starts) if start <= t_s)
        rgb = picture(names[scene])
        height, width = (int(0.92 * side) for side in rgb.shape[:2])
        top, left = pick.randint(0, rgb.shape[0] - height), pick.randint(0, rgb.shape[1] - width)
        frames.append((float(t_s), rgb[top : top + height, left : left + width]))
    return frames, [float(start) for start in starts[1:]]


def spoilt(rgb: np.ndarray, index: int) -> np.ndarray:
    """Cover, blur, darken or overexpose a picture (height, width, 3), by turns."""
    import cv2

    kind = index % 4
    if kind == 0:
        covered = rgb.copy()
        height, width = rgb.shape[:2]
        cv2.ellipse(
            covered, (width // 2, height // 2), (int(0.55 * width), int(0.6 * height)), 0, 0, 360, (150, 110, 90), -1
        )
        return covered
    if kind == 1:
        return np.asarray(cv2.GaussianBlur(rgb, (0, 0), max(rgb.shape) / 30))
    if kind == 2:
        return (rgb * 0.07).astype(np.uint8)
    return np.clip(rgb.astype(np.float32) * 1.5 + 170, 0, 255).astype(np.uint8)


def _helped(message: AIMessage) -> bool:
    said = re.search(r"blur|dark|cover|burnt|overexpos|too bright|nois", text_of(message).lower())
    return bool(message.tool_calls or said)


def _named(answers: dict[Any, str], names: Mapping[Any, Sequence[str]]) -> Score:
    """Score answers by accepted names; chance is how often the answers to the other pictures would be accepted."""
    fits = {
        (asked, of): any(re.search(rf"\b{re.escape(name.lower())}\b", answers[of].lower()) for name in names[asked])
        for asked in answers
        for of in answers
    }
    others = [fit for (asked, of), fit in fits.items() if asked != of]
    return scored([fits[key, key] for key in answers], sum(others) / max(1, len(others)))


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9.%]", "", text.lower())


if __name__ == "__main__":
    main()
