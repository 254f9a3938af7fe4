"""End-to-end benchmark of a film of ten minutes or more, ingested and questioned with the embedded model.

    python -m evals.bench.narrative_film --clips DIR [--film FILE] [--json FILE]

The film repeats the clips of a folder until its narration is over: `film/harbour.txt`, a story of our own with one
sentence every ten seconds, as subtitles. The pictures are unrelated to the story, as in many narrated films. Questions
(`film/questions.json`) name the sentences of their evidence, mostly far apart. Some have no answer in the story.

Prints for how many questions all evidence is among the cited moments, and among the retrieved ones, by distance; how
many questions without an answer are refused; and the time to build and to answer. The baseline is a plain search for
the five sentences with the best BM25.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from agent.cli.console import make_console
from agent.cli.narrative import BuildOptions, build_narrative, open_store
from agent.config import load_config
from agent.narrative.answer import MAX_QUOTED, answer_question
from agent.narrative.sources import source_name
from evals.bench.narrative import plain_bm25
from evals.stats.means import wilson
from evals.suites.na_vqa.ranges import RANGES, Range, spread_of
from tools.errors import ConfigError
from tools.media import format_clock

SENTENCE_S, PAUSE_S = 10.0, 4.0
"""Interval of sentences, and the silent part of it."""
WIDTH_PX, HEIGHT_PX, FPS = 640, 360, 10
_WORD = re.compile(r"\b\w\w+\b")
SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm")


@dataclass(frozen=True)
class Asked:
    """A question and its evidence: of each group of sentences, at least one has to be found."""

    text: str
    evidence: tuple[frozenset[int], ...]

    @property
    def range(self) -> Range:
        """How far apart its evidence is in the film."""
        spans = [(SENTENCE_S * min(group), SENTENCE_S * (min(group) + 1)) for group in self.evidence]
        return spread_of(spans, SENTENCE_S * len(narration())).range


def main() -> None:
    """Run the benchmark and print its table; exits with 0 whatever the results are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="a folder of clips to join")
    parser.add_argument("--film", type=Path, help="where to keep the film with its subtitles; temporary if omitted")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        film = arguments.film or Path(folder) / "harbour.mp4"
        make_film(arguments.clips, film)
        results = run(film, Path(folder) / "kept")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def narration() -> list[str]:
    """Return the sentences of the story."""
    return files("evals.bench").joinpath("film", "harbour.txt").read_text("utf-8").splitlines()


def questions() -> list[Asked]:
    """Return the questions about the story."""
    told = json.loads(files("evals.bench").joinpath("film", "questions.json").read_text("utf-8"))
    return [
        Asked(
            one["question"],
            tuple(frozenset(group if isinstance(group, list) else [group]) for group in one["evidence"]),
        )
        for one in told
    ]


def make_film(clips: Path, film: Path) -> None:
    """Join the clips of a folder into a film as long as the narration, and write its subtitles beside it.

    Raises:
        ConfigError: if the folder has no clips, or they cannot be joined.
    """
    found = sorted(path for path in clips.iterdir() if path.suffix.lower() in SUFFIXES) if clips.is_dir() else []
    if not found:
        raise ConfigError(f"{str(clips)!r} has no clips.", expected=f"files that end with {', '.join(SUFFIXES)}")
    lasts_s = SENTENCE_S * len(narration())
    with tempfile.TemporaryDirectory() as folder:
        shaped = [Path(folder) / f"{number}.mp4" for number in range(len(found))]
        for clip, target in zip(found, shaped, strict=True):
            how = f"fps={FPS},scale={WIDTH_PX}:{HEIGHT_PX},setsar=1"
            _ffmpeg("-i", str(clip), "-an", "-vf", how, "-c:v", "libx264", "-preset", "veryfast", "-crf", "30",
                    str(target))  # fmt: skip
        listed = Path(folder) / "list.txt"
        listed.write_text("".join(f"file '{target}'\n" for target in shaped) * math.ceil(lasts_s / len(found)))
        _ffmpeg("-f", "concat", "-safe", "0", "-i", str(listed), "-t", str(lasts_s), "-c", "copy", str(film))
    blocks = []
    for place, sentence in enumerate(narration()):
        start_s = place * SENTENCE_S
        blocks.append(f"{place + 1}\n{_stamp(start_s)} --> {_stamp(start_s + SENTENCE_S - PAUSE_S)}\n{sentence}\n")
    film.with_suffix(".srt").write_text("\n".join(blocks), "utf-8")


def _ffmpeg(*arguments: str) -> None:
    done = subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-y", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConfigError(f"cannot join the clips: {done.stderr.strip()[-300:]}")


def run(film: Path, folder: Path) -> dict[str, object]:
    """Build, ask, print, and return the results as plain data."""
    config = load_config({"folder": folder, "model": "embedded"}, environment={})
    started = time.monotonic()
    build_narrative(str(film), config, make_console(), BuildOptions(as_json=True))
    build_s = time.monotonic() - started
    asked = questions()
    source = source_name(film)
    hits: dict[str, list[tuple[Asked, bool]]] = {"cited": [], "found": [], "plain BM25": []}
    refused, ask_s = [], []
    with open_store(config) as store:
        counts = dict(store.count(source))
        answer_question(store, source, "warm up", "seconds")
        for one in asked:
            before = time.monotonic()
            answer = answer_question(store, source, one.text, "seconds")
            ask_s.append(time.monotonic() - before)
            cited, shown = (_places([told.start_s for told in part]) for part in (answer.cited, answer.shown))
            times = ", ".join(format_clock(told.start_s) for told in answer.cited)
            print(f"{one.text}\n    {times or answer.text}", file=sys.stderr)
            if not one.evidence:
                refused.append(answer.abstained)
                continue
            hits["cited"].append((one, _holds(one, cited)))
            hits["found"].append((one, _holds(one, shown)))
            hits["plain BM25"].append((one, _holds(one, _bm25(one.text))))
    lasts_s = SENTENCE_S * len(narration())
    table = {row: _by_range(found) for row, found in hits.items()}
    _print(table, refused, lasts_s, build_s, ask_s)
    return {
        "film_s": lasts_s, "counts": counts, "table": table,
        "refused": {"n": len(refused), "right": sum(refused)}, "build_s": round(build_s, 1),
        "ask_ms_median": round(1_000 * sorted(ask_s)[len(ask_s) // 2], 1),
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def _places(times_s: Sequence[float]) -> set[int]:
    return {int(t_s // SENTENCE_S) for t_s in times_s}


def _holds(asked: Asked, places: set[int]) -> bool:
    return all(group & places for group in asked.evidence)


def _bm25(question: str) -> set[int]:
    documents = [Counter(_WORD.findall(sentence.lower())) for sentence in narration()]
    scores = plain_bm25(documents, _WORD.findall(question.lower()))
    return set(sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:MAX_QUOTED])


def _by_range(found: Sequence[tuple[Asked, bool]]) -> dict[str, dict[str, float | int]]:
    table: dict[str, dict[str, float | int]] = {}
    for name in (*RANGES, "all"):
        right = [holds for one, holds in found if name in (one.range, "all")]
        if right:
            low, high = wilson(sum(right), len(right))
            share = sum(right) / len(right)
            table[name] = {"n": len(right), "share": round(share, 3), "low": round(low, 3), "high": round(high, 3)}
    return table


def _print(
    table: dict[str, dict[str, dict[str, float | int]]],
    refused: Sequence[bool],
    lasts_s: float,
    build_s: float,
    ask_s: Sequence[float],
) -> None:
    ranges = list(next(iter(table.values())))
    heads = [f"{name} ({table['cited'][name]['n']})" for name in ranges]
    print(f"{'all evidence':<14}" + "".join(f"{head:>24}" for head in heads))
    for row, cells in table.items():
        shown = [f"{cells[name]['share']:.2f} ({cells[name]['low']:.2f}-{cells[name]['high']:.2f})" for name in ranges]
        print(f"{row:<14}" + "".join(f"{text:>24}" for text in shown))
    print(f"questions without an answer: {sum(refused)} of {len(refused)} refused")
    print(
        f"a film of {lasts_s:.0f} s was built in {build_s:.0f} s; a question takes {1_000 * max(ask_s):.0f} ms at most"
    )


def _stamp(t_s: float) -> str:
    minutes, seconds = divmod(round(t_s), 60)
    return f"00:{minutes:02d}:{seconds:02d},000"


if __name__ == "__main__":
    main()
