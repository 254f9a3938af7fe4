"""Value of a memory of hours: long streams with exact ground truth, and questions by the age of their evidence.

    python -m evals.bench.stream [--pictures DIR] [--clips DIR] [--cache DIR] [--json FILE] [--png FILE]

Runs synthetic streams at one frame a second (see `evals.bench.streams.stream`) through every policy; every fourth has a
still stretch of an hour. Questions are asked at exact times, before anything later has been seen. By the age of the
evidence, with 95% intervals over streams, it measures

- recall: whether a frame in which the evidence is in view is among those shown, at a detail at which the words are
  legible;
- answers: whether the model, shown these frames through the agent's prompt, answers right. Code decides: the right word
  or name, and no other that was shown. `the evidence itself` is the model's result with perfect recall.

Budgets limit what is shown for a question. Ours also stores 256 key moments and notes, and reads the question; the row
`ours, question unknown` does not read it, and `ours, moments at even times` stores as many frames at even times instead
of those at turns. CurveStream's rows score with the named encoder, since the paper's is not in a package.

Differences to ours are paired, with such intervals. Also measures the time to push a frame through ours, with disk
writes as when live, and through CurveStream, alternately, once ours is full. `agent.perception.annotator.note_frame`
annotates the frames that the agent would, as often as in real time, though not in the background; its time is reported
separately.

`--part dev` has other wordings, words, seeds and pictures (of a folder of many) than `test`, and is for tuning.
`--cache` keeps features and notes for the next run. Frames are drawn from a folder of ImageNet-like pictures
(`--pictures`), else from the ten of the vision benchmark, from frames of real clips (`--clips`), and from drawn scenes.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from agent.models import load_mllm
from evals.bench.streams import report, wordings, wordings_test
from evals.bench.streams.answers import ORACLE, answer, share_perception
from evals.bench.streams.draw import draw
from evals.bench.streams.questions import AGES, ask_about
from evals.bench.streams.replay import EVEN, OURS, PUBLISHED, UNASKED, Asked, Known, make_rows, replay
from evals.bench.streams.report import Point
from evals.bench.streams.scenes import Part, Scene, gather_scenes
from evals.bench.streams.scoring import held
from evals.bench.streams.stream import Stream
from evals.stats.paired import Difference
from memory.store.frames import FrameStore
from memory.stream.archive import Archive
from memory.stream.encoders import Encoder, load_encoder
from memory.stream.memory import StreamMemory
from memory.stream.notes import Notes
from memory.stream.options import StreamOptions

RIVALS = ("last", "uniform", "alternate", "random", "motion M", "curvature C", PUBLISHED)
RECALL_RIVALS = {
    "20 frames": RIVALS,
    "8 frames": ("last", "uniform", "alternate", PUBLISHED),
    "4 frames": ("last", "uniform", "alternate", PUBLISHED),
    "2,560 tokens": RIVALS,
}
ANSWER_RIVALS = {**RECALL_RIVALS, "8 frames": ("last", PUBLISHED), "4 frames": ("last", PUBLISHED)}
"""The baselines of ours at each budget; fewer for answers, which cost more."""
ANSWERED = tuple(
    f"{name}, {budget}"
    for budget, rivals in ANSWER_RIVALS.items()
    for name in (*rivals, *((EVEN, UNASKED) if rivals == RIVALS else ()), OURS)
)
DRAWN = (
    "last, 4 frames", "last, 20 frames", "uniform, 20 frames", "random, 20 frames", f"{PUBLISHED}, 20 frames",
    f"{UNASKED}, 20 frames", f"{OURS}, 20 frames",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """The amount of measurement.

    Attributes:
        streams: number of streams.
        length_s: of each.
        still_s: minimum and maximum length of a still stretch.
        hour_s: the same in every fourth stream.
        lively_s: minimum and maximum length of a lively stretch.
        interviews: number of times at which a stream's questions are asked.
        each: questions of an age class in an interview.
        answers: questions of an age class that the model answers, in total.
        pushes: frames whose push is timed.
        warm: maximum number of frames pushed before that; fewer if the key moments are full.
    """

    streams: int
    length_s: int
    still_s: tuple[int, int]
    hour_s: tuple[int, int]
    lively_s: tuple[int, int]
    interviews: int
    each: int
    answers: int
    pushes: int
    warm: int


FULL = Size(
    streams=8, length_s=5_400, still_s=(600, 1_500), hour_s=(3_600, 3_700), lively_s=(360, 780), interviews=8, each=2,
    answers=60, pushes=600, warm=2_000,
)  # fmt: skip
QUICK = Size(
    streams=2, length_s=70, still_s=(15, 20), hour_s=(30, 35), lively_s=(25, 35), interviews=1, each=1, answers=1,
    pushes=6, warm=4,
)  # fmt: skip
BLOCK = 30
"""Block size of the bootstrap in pushes: neighbours are correlated, and so is the load of the machine."""


def main() -> None:
    """Run the benchmark and print its tables; exits with 0 whatever the results are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="a folder of ImageNet-like pictures to show")
    parser.add_argument("--clips", type=Path, help="a folder of videos to show frames of")
    parser.add_argument("--part", choices=("test", "dev"), default="test", help="the part for reporting, or for tuning")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--streams", type=int, help="how many streams")
    parser.add_argument("--first-seed", type=int, help="seed of the first stream; 1000 for dev, else 0")
    parser.add_argument("--answers", type=int, help="questions of an age class that the model answers, for each row")
    parser.add_argument("--cache", type=Path, help="a folder for features and notes of frames")
    parser.add_argument("--quick", action="store_true", help="a small run as a smoke test")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    parser.add_argument("--texts", type=Path, help="where to write the model's answers")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else FULL
    results = run(arguments, size)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def run(arguments: argparse.Namespace, size: Size) -> dict[str, object]:
    """Measure, print, draw, and return the results as plain data."""
    part: Part = arguments.part
    wanted = (wordings_test if part == "test" else wordings).WORDINGS
    first_seed = (0 if part == "test" else 1_000) if arguments.first_seed is None else arguments.first_seed
    scenes = gather_scenes(arguments.pictures, arguments.clips, part)
    encoder = load_encoder(StreamOptions().encoder)
    streams = [make_stream(first_seed + n, size, scenes, part) for n in range(arguments.streams or size.streams)]
    asked: dict[int, list[Asked]] = {}
    note_s: list[float] = []
    for stream in streams:
        started = time.monotonic()
        asked[stream.seed] = _watch(stream, wanted, size, encoder, arguments.cache, note_s)
        _say(f"{stream.name}: {len(asked[stream.seed])} questions, {time.monotonic() - started:.0f} s")
    cost = push_cost(streams[0], encoder, size)
    recalls = {detail: _recall(asked, detail) for detail in ("clear", "any")}
    answers, texts = _answers(arguments.model, streams, asked, arguments.answers or size.answers)
    points = {"recall": recalls["clear"], "recall, fuzzy included": recalls["any"], "answers": answers}
    tables = {name: report.tabulate(found) for name, found in points.items()}
    print(f"{len(streams)} streams of {size.length_s} s, {part}; encoder {encoder.name}; model {arguments.model}")
    lines = _print(tables, points, cost, note_s)
    if arguments.png:
        panels = {"Evidence is among the frames shown": tables["recall"], "Answers that are right": tables["answers"]}
        draw(panels, DRAWN, f"{OURS}, 20 frames", arguments.png)
    if arguments.texts:
        arguments.texts.write_text(json.dumps(texts, indent=1) + "\n")
    return {
        "part": part,
        "model": arguments.model,
        "encoder": encoder.name,
        "streams": len(streams),
        "length_s": size.length_s,
        "tables": {name: report.plain(table) for name, table in tables.items()},
        "differences": {
            "recall": _differences(points["recall"], RECALL_RIVALS),
            "answers": _differences(points["answers"], ANSWER_RIVALS),
        },
        "push": cost,
        "choose_ms_median": _choosing(asked),
        "note_s_median": statistics.median(note_s) if note_s else None,
        "must_hold": [{"holds": holds, "what": text} for holds, text in lines],
    }


def make_stream(seed: int, size: Size, scenes: Sequence[Scene], part: Part) -> Stream:
    """Return the stream of a seed: every fourth has a still hour."""
    return Stream(seed, size.length_s, scenes, size.hour_s if seed % 4 == 3 else size.still_s, size.lively_s, part)


def push_cost(stream: Stream, encoder: Encoder, size: Size) -> dict[str, float]:
    """Push the same frames to ours and to CurveStream as published, alternately; milliseconds a frame, including
    encoding.

    Ours writes its key moments to disk, as it does live, and is full when the clock starts. The ratio is that of the
    two sums, with the 95% interval of a bootstrap over blocks of frames.
    """
    published = next(row.options for row in make_rows() if row.name == PUBLISHED)
    options = {"ours": StreamOptions(), "curvestream": published}
    seconds: dict[str, list[float]] = {name: [] for name in options}
    with tempfile.TemporaryDirectory() as folder, closing(Archive(Path(folder) / "ours")) as archive:
        memories = {
            name: StreamMemory(
                chosen, encoder, FrameStore(Path(folder) / name, 512 << 20), archive if chosen.tiers else None
            )
            for name, chosen in options.items()
        }
        held, number, first = memories["ours"].moments, 0, None
        while number < stream.length_s and (first is None or number < first + size.pushes):
            if first is None and (number >= size.warm or len(held or ()) >= options["ours"].moments):
                first = number
            turn = list(memories.items())
            for name, memory in turn if number % 2 else reversed(turn):
                frame = stream.frame(number)  # its id is computed again for each
                started = time.perf_counter()
                memory.push(frame)
                if first is not None:
                    seconds[name].append(time.perf_counter() - started)
            number += 1
    ours, theirs = np.array(seconds["ours"]), np.array(seconds["curvestream"])
    starts = np.random.default_rng(0).integers(0, max(1, len(ours) - BLOCK + 1), (2_000, max(1, len(ours) // BLOCK)))
    blocks = (starts[..., None] + np.arange(min(BLOCK, len(ours)))).reshape(2_000, -1)
    low, high = np.quantile(ours[blocks].sum(1) / theirs[blocks].sum(1), (0.025, 0.975))
    return {
        "frames": len(ours),
        "warm_frames": number - len(ours),
        "key_moments": len(held or ()),
        "ours_ms": 1e3 * float(ours.mean()),
        "curvestream_ms": 1e3 * float(theirs.mean()),
        "ratio": float(ours.sum() / theirs.sum()),
        "ratio_low": float(low),
        "ratio_high": float(high),
    }


def _watch(
    stream: Stream,
    wanted: Mapping[str, Sequence[str]],
    size: Size,
    encoder: Encoder,
    cache: Path | None,
    note_s: list[float],
) -> list[Asked]:
    from agent.perception.annotator import embed_texts

    questions = ask_about(stream, wanted, size.interviews, size.each)
    known = Known.of(stream, encoder, cache)
    with tempfile.TemporaryDirectory() as folder, Notes(folder, stream.name, embed_texts) as notes:
        asked = list(replay(stream, make_rows(stream.seed), questions, encoder, known, notes))
    note_s += known.note_s
    return asked


def _recall(asked: Mapping[int, Sequence[Asked]], detail: str) -> dict[str, list[Point]]:
    accepted = ("clear",) if detail == "clear" else ("clear", "fuzzy")
    points: dict[str, list[Point]] = defaultdict(list)
    for number, entry in enumerate(entry for found in asked.values() for entry in found):
        question = entry.question
        for key, kept_ones in entry.windows.items():
            window = [(kept.t_s, kept.state) for kept in kept_ones]
            points[key].append(Point(number, question.stream, question.age, held(question, window) in accepted))
    return points


def _answers(
    spec: str, streams: Sequence[Stream], asked: Mapping[int, Sequence[Asked]], each: int
) -> tuple[dict[str, list[Point]], dict[str, list[dict[str, object]]]]:
    """Have the model answer `each` questions of every age class; returns outcomes and, for ours, the texts."""
    model = load_mllm(spec)
    share_perception()
    points: dict[str, list[Point]] = defaultdict(list)
    texts: dict[str, list[dict[str, object]]] = defaultdict(list)
    numbers: dict[int, int] = {}
    done, started = 0, time.monotonic()

    def count() -> None:
        nonlocal done
        done += 1
        if done % 100 == 0:
            _say(f"{done} answers, {time.monotonic() - started:.0f} s")

    chosen = choose(asked, each)
    for stream in streams:
        for told in answer(model, stream, chosen[stream.seed], ANSWERED, count):
            question = told.question
            number = numbers.setdefault(id(question), len(numbers))
            points[told.row].append(Point(number, stream.seed, question.age, told.right))
            entry = {"kind": question.kind, "age": question.age, "stream": stream.seed, "right": told.right}
            texts[told.row].append({**entry, "t_q": question.t_q, "asked": question.text, "told": told.text,
                                    "answer": question.answers[0]})  # fmt: skip
    return points, {row: texts[row] for row in (f"{OURS}, 20 frames", ORACLE) if row in texts}


def choose(asked: Mapping[int, Sequence[Asked]], each: int) -> dict[int, list[Asked]]:
    """Choose `each` questions of every age class, or all: equally from all streams, evenly over their questions."""
    chosen: dict[int, list[Asked]] = {seed: [] for seed in asked}
    for age, _, _ in AGES:
        queues = []
        for seed, found in asked.items():
            of_age = [entry for entry in found if entry.question.age == age]
            random.Random(f"{seed} {age}").shuffle(of_age)
            queues.append([(seed, entry) for entry in of_age])
        taken = [pair for rank in zip_longest(*queues) for pair in rank if pair is not None][:each]
        for seed, entry in taken:
            chosen[seed].append(entry)
    return {seed: sorted(found, key=lambda entry: entry.question.t_q) for seed, found in chosen.items()}


def _print(
    tables: Mapping[str, report.Table],
    points: Mapping[str, report.Points],
    cost: Mapping[str, float],
    note_s: Sequence[float],
) -> list[tuple[bool, str]]:
    titles = {
        "recall": "Recall: the evidence is in a clear frame that is shown",
        "recall, fuzzy included": "Recall, fuzzy frames included",
        "answers": "Right answers",
    }
    for name, table in tables.items():
        report.print_table(titles[name], table)
    print(
        f"\npush, ms a frame: ours {cost['ours_ms']:.2f}, CurveStream {cost['curvestream_ms']:.2f}, ratio "
        f"{cost['ratio']:.3f} ({cost['ratio_low']:.3f}-{cost['ratio_high']:.3f}) over {cost['frames']} frames, after "
        f"{cost['warm_frames']} that gave {cost['key_moments']} key moments"
    )
    if note_s:
        print(f"notes: {len(note_s)} frames read, median {statistics.median(note_s):.2f} s each")
    lines = report.must_hold("recall", points["recall"], RECALL_RIVALS)
    lines += report.must_hold("answers", points["answers"], ANSWER_RIVALS)
    holds = cost["ratio_high"] < report.COST_LIMIT
    lines.append((holds, f"push: ours takes {cost['ratio']:.3f} times CurveStream's time, to be surely below 1.1"))
    print("\nMust hold:")
    for holds, text in lines:
        print(f"{'holds' if holds else 'FAILS':<7}{text}")
    print("\nWhere the last frames win:")
    for name in ("recall", "answers"):
        print(*report.where_last_wins(name, points[name]), sep="\n")
    return lines


def _differences(
    points: report.Points, rivals: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, dict[str, dict[str, float | None]]]]:
    """Return, by budget, baseline and age class, ours minus the baseline."""
    found = {}
    for budget, names in rivals.items():
        keys = [f"{name}, {budget}" for name in (*names, EVEN, UNASKED)]
        by_rival = report.differences(points, f"{OURS}, {budget}", [key for key in keys if key in points])
        found[budget] = {
            rival: {age: _plain(d) for age, d in by_age.items() if d.n} for rival, by_age in by_rival.items()
        }
    return found


def _plain(difference: Difference) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in asdict(difference).items()}


def _choosing(asked: Mapping[int, Sequence[Asked]]) -> dict[str, float]:
    seconds: dict[str, list[float]] = defaultdict(list)
    for found in asked.values():
        for entry in found:
            for row, value in entry.choose_s.items():
                seconds[row].append(value)
    return {row: 1e3 * statistics.median(values) for row, values in seconds.items()}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
