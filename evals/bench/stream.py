"""What a memory of hours is worth: long streams with exact truth, and questions by the age of what answers them.

    python -m evals.bench.stream [--pictures DIR] [--clips DIR] [--cache DIR] [--json FILE] [--png FILE]

Synthetic streams at one frame a second (see `evals.bench.streams.stream`) go through every policy. Questions are asked
at exact times; nothing later has been seen then. By the age of the evidence, with 95% intervals (Wilson), it measures

- recall: a frame in which the evidence is in view is among those shown, in a detail in which the words are legible;
- answers: the model, shown these frames through the prompt that the agent builds, answers right. Code decides: the
  right word or name, and no other that was shown. `the evidence itself` is what the model makes of perfect recall.

Differences to ours have 95% intervals of a paired bootstrap over whole streams. Also: the time to push a frame through
ours and through CurveStream, in turns. Notes are taken by `agent.notes.note_frame` on the frames that the agent would
note, as often as it would where time plays, though not in the background; their time is reported apart.

Wordings: `test` are for results; `dev` ones are disjoint from them, go with other streams, and are for tuning.
`--cache` keeps features and notes for the next run. Frames are drawn from a folder of ImageNet-like pictures
(`--pictures`), else from the ten of the vision benchmark, from frames of real clips (`--clips`), and from drawn scenes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.mllm import load_mllm
from evals.bench.streams import report, wordings, wordings_test
from evals.bench.streams.answers import ORACLE, answer, share_perception
from evals.bench.streams.draw import draw
from evals.bench.streams.questions import ask_about
from evals.bench.streams.replay import OURS, PUBLISHED, UNASKED, Asked, Known, Row, make_rows, replay
from evals.bench.streams.report import Point
from evals.bench.streams.scenes import gather_scenes
from evals.bench.streams.scoring import held
from evals.bench.streams.stream import Stream
from memory.frames import FrameStore
from memory.stream.encoders import Encoder, load_encoder
from memory.stream.memory import StreamMemory
from memory.stream.notes import Notes
from memory.stream.options import StreamOptions

BUDGETS = ("20 frames", "8 frames", "4 frames", "2,560 tokens")
ANSWERED = (
    *(f"last, {budget}" for budget in BUDGETS),
    "uniform, 20 frames", "alternate, 20 frames", "random, 20 frames", "motion M, 20 frames", "curvature C, 20 frames",
    *(f"{PUBLISHED}, {budget}" for budget in BUDGETS),
    f"{UNASKED}, 20 frames",
    *(f"{OURS}, {budget}" for budget in BUDGETS),
)  # fmt: skip
DRAWN = (
    "last, 4 frames", "last, 20 frames", "uniform, 20 frames", "random, 20 frames", f"{PUBLISHED}, 20 frames",
    f"{UNASKED}, 20 frames", f"{OURS}, 20 frames",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much is measured: streams and their length, interviews in each, questions of an age class in an interview."""

    streams: int
    length_s: int
    still_s: tuple[int, int]
    lively_s: tuple[int, int]
    interviews: int
    each: int
    answers: int
    pushes: int


FULL = Size(
    streams=8, length_s=4_500, still_s=(600, 1_500), lively_s=(360, 780), interviews=8, each=2, answers=150, pushes=400
)
QUICK = Size(streams=2, length_s=80, still_s=(15, 20), lively_s=(30, 40), interviews=2, each=1, answers=4, pushes=6)


def main() -> None:
    """Run the benchmark and print its tables; exits with 0 whatever the results are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="a folder of ImageNet-like pictures to show")
    parser.add_argument("--clips", type=Path, help="a folder of videos to show frames of")
    parser.add_argument("--wording", choices=("test", "dev"), default="test")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--streams", type=int, help="how many streams")
    parser.add_argument("--first-seed", type=int, help="seed of the first stream; 1000 for dev wordings, else 0")
    parser.add_argument("--answers", type=int, help="how many questions the model answers, for each row")
    parser.add_argument("--cache", type=Path, help="a folder for what is computed of frames")
    parser.add_argument("--quick", action="store_true", help="a small run that shows that everything works")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else FULL
    results = run(arguments, size)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def run(arguments: argparse.Namespace, size: Size) -> dict[str, object]:
    """Measure, print, draw, and return the results as plain data."""
    wanted = (wordings_test if arguments.wording == "test" else wordings).WORDINGS
    first_seed = (0 if arguments.wording == "test" else 1_000) if arguments.first_seed is None else arguments.first_seed
    scenes = gather_scenes(arguments.pictures, arguments.clips)
    encoder = load_encoder(StreamOptions().encoder)
    rows = make_rows()
    n_streams = arguments.streams or size.streams
    streams = [Stream(first_seed + n, size.length_s, scenes, size.still_s, size.lively_s) for n in range(n_streams)]
    asked: dict[int, list[Asked]] = {}
    note_s: list[float] = []
    for stream in streams:
        started = time.monotonic()
        asked[stream.seed] = _watch(stream, rows, wanted, size, encoder, arguments.cache, note_s)
        _say(f"{stream.name}: {len(asked[stream.seed])} questions, {time.monotonic() - started:.0f} s")
    cost = push_cost(streams[0], encoder, size.pushes)
    recalls = {detail: _recall(asked, rows, detail) for detail in ("clear", "any")}
    answers = _answers(arguments.model, streams, asked, arguments.answers or size.answers)
    points = {"recall": recalls["clear"], "recall, fuzzy included": recalls["any"], "answers": answers["points"]}
    tables = {name: report.tabulate(found) for name, found in points.items()}
    lines = _print(tables, points, cost, note_s)
    if arguments.png:
        panels = {"Evidence is among the frames shown": tables["recall"], "Answers that are right": tables["answers"]}
        draw(panels, DRAWN, f"{OURS}, 20 frames", arguments.png)
    return {
        "wording": arguments.wording,
        "model": arguments.model,
        "streams": n_streams,
        "length_s": size.length_s,
        "tables": {name: report.plain(table) for name, table in tables.items()},
        "differences": {
            name: {budget: _differences(found, budget) for budget in BUDGETS} for name, found in points.items()
        },
        "push": cost,
        "choose_ms_median": _choosing(asked),
        "note_s_median": statistics.median(note_s) if note_s else None,
        "must_hold": [{"holds": holds, "what": text} for holds, text in lines],
        "answers": answers["texts"],
    }


def push_cost(stream: Stream, encoder: Encoder, pushes: int) -> dict[str, float]:
    """Push the same frames to ours and to CurveStream as published, in turns; milliseconds a frame, encoding included.

    The ratio is the median of the ratios of single frames, so that other programs disturb both alike.
    """
    published = next(row.options for row in make_rows() if row.name == PUBLISHED)
    options = {"ours": StreamOptions(), "curvestream": published}
    seconds: dict[str, list[float]] = {name: [] for name in options}
    with tempfile.TemporaryDirectory() as folder:
        memories = {
            name: StreamMemory(chosen, encoder, FrameStore(Path(folder) / name, 512 << 20))
            for name, chosen in options.items()
        }
        for number in range(min(pushes, stream.length_s)):
            turn = list(memories.items())
            for name, memory in turn if number % 2 else reversed(turn):
                frame = stream.frame(number)  # its id is computed anew for each
                started = time.perf_counter()
                memory.push(frame)
                seconds[name].append(time.perf_counter() - started)
    ratios = [ours / theirs for ours, theirs in zip(seconds["ours"], seconds["curvestream"], strict=True)]
    return {
        "frames": len(ratios),
        "ours_ms": 1e3 * statistics.median(seconds["ours"]),
        "curvestream_ms": 1e3 * statistics.median(seconds["curvestream"]),
        "ours_mean_ms": 1e3 * statistics.mean(seconds["ours"]),
        "curvestream_mean_ms": 1e3 * statistics.mean(seconds["curvestream"]),
        "ratio": statistics.median(ratios),
    }


def _watch(
    stream: Stream,
    rows: Sequence[Row],
    wanted: Mapping[str, Sequence[str]],
    size: Size,
    encoder: Encoder,
    cache: Path | None,
    note_s: list[float],
) -> list[Asked]:
    from agent.notes import embed_texts

    questions = ask_about(stream, wanted, size.interviews, size.each)
    known = Known.of(stream, encoder, cache)
    with tempfile.TemporaryDirectory() as folder, Notes(folder, stream.name, embed_texts) as notes:
        asked = list(replay(stream, rows, questions, encoder, known, notes))
    note_s += known.note_s
    return asked


def _recall(asked: Mapping[int, Sequence[Asked]], rows: Sequence[Row], detail: str) -> dict[str, list[Point]]:
    accepted = ("clear",) if detail == "clear" else ("clear", "fuzzy")
    points: dict[str, list[Point]] = defaultdict(list)
    for number, entry in enumerate(entry for found in asked.values() for entry in found):
        question = entry.question
        for row in rows:
            window = [(kept.t_s, kept.state) for kept in entry.windows[row.key]]
            right = held(question, window) in accepted
            points[row.key].append(Point(number, question.stream, question.age, right))
    return points


def _answers(
    spec: str, streams: Sequence[Stream], asked: Mapping[int, Sequence[Asked]], wanted: int
) -> dict[str, dict]:
    """Have the model answer about `wanted` questions: of each stream as many, whole interviews where that fits."""
    model = load_mllm(spec)
    share_perception()
    points: dict[str, list[Point]] = defaultdict(list)
    texts: dict[str, list[dict[str, object]]] = defaultdict(list)
    number, done, started = 0, 0, time.monotonic()

    def count() -> None:
        nonlocal done
        done += 1
        if done % 100 == 0:
            _say(f"{done} answers, {time.monotonic() - started:.0f} s")

    for stream in streams:
        chosen = _thinned(asked[stream.seed], max(1, round(wanted / len(streams))))
        keys = [key for key in ANSWERED if chosen and key in chosen[0].windows]
        for told in answer(model, stream, chosen, keys, count):
            number += told.row == next(iter(keys))
            points[told.row].append(Point(number, stream.seed, told.question.age, told.right))
            entry = {"kind": told.question.kind, "age": told.question.age, "stream": stream.seed, "right": told.right}
            texts[told.row].append({**entry, "t_q": told.question.t_q, "asked": told.question.text, "told": told.text,
                                    "answer": told.question.answers[0]})  # fmt: skip
    return {"points": points, "texts": {row: texts[row] for row in (f"{OURS}, 20 frames", ORACLE) if row in texts}}


def _thinned(asked: Sequence[Asked], count: int) -> list[Asked]:
    """About `count` of them, whole interviews from first to last, evenly chosen."""
    times = sorted({entry.question.t_q for entry in asked})
    most = max(1, min(len(times), round(count * len(times) / max(1, len(asked)))))
    chosen = {times[round(index * (len(times) - 1) / max(1, most - 1))] for index in range(most)}
    return [entry for entry in asked if entry.question.t_q in chosen]


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
        f"\npush, ms a frame (median): ours {cost['ours_ms']:.2f}, CurveStream {cost['curvestream_ms']:.2f}, "
        f"median ratio {cost['ratio']:.3f} over {cost['frames']:.0f} frames"
    )
    if note_s:
        print(f"notes: {len(note_s)} frames read, median {statistics.median(note_s):.2f} s each")
    measures = ("recall", "answers")
    lines = [line for name in measures for line in report.must_hold(name, points[name], BUDGETS)]
    holds = cost["ratio"] < report.COST_LIMIT
    lines.append((holds, f"push: ours takes {cost['ratio']:.3f} times CurveStream's time, to be below 1.1"))
    print("\nMust hold:")
    for holds, text in lines:
        print(f"{'holds' if holds else 'FAILS':<7}{text}")
    print("\nWhere the last frames win:")
    for name in measures:
        print(*report.where_last_wins(name, points[name]), sep="\n")
    return lines


def _differences(points: report.Points, budget: str) -> dict[str, dict[str, dict[str, float]]]:
    ours = f"{OURS}, {budget}"
    rivals = [row for row in points if row.endswith(f", {budget}") and row != ours]
    found = report.differences(points, ours, rivals) if ours in points else {}
    return {rival: {age: asdict(d) for age, d in by_age.items() if d.n} for rival, by_age in found.items()}


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
