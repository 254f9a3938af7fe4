"""Benchmark of `attend chat`: time to the first answer, memory, and whether answering delays capture.

    python -m evals.bench.chat CLIP [--model embedded] [--watch-s 20] [--json]

Compares the loop with CurveStream with the same loop that keeps every frame, each in its own process:

- `first answer`: from process start to the end of the first answer about the whole clip, including loading.
- `memory`: peak resident memory of the process.
- `answer`, `tokens in`: a question while the clip plays in a loop in real time, after `--watch-s` seconds of it.
- `lateness`: delay of captured frames, at one a second; the mean while questions were answered, and the overall
  maximum.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

STARTED = time.monotonic()
QUESTIONS = ("What happens in the video, in order?", "When does the picture change?", "What do you see now?")
VARIANTS = {"curvestream": {}, "every frame": {"memory.policy": "last", "memory.capacity": 1024, "limits.frames": 1000}}
SAMPLE_S = 0.05


def main() -> None:
    """Run both variants and print their figures and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--watch-s", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.clip.is_file():
        parser.error(f"{str(arguments.clip)!r} is not a file; `make demo` puts a clip at .cache/bikes.mp4")
    if arguments.variant:
        print(json.dumps(asyncio.run(measure(arguments))))
        return
    figures = {variant: _in_process(variant, arguments) for variant in VARIANTS}
    ours, rival = figures["curvestream"], figures["every frame"]
    ratios = {name: rival[name] / ours[name] if ours[name] else None for name in ours}
    if arguments.json:
        print(json.dumps({"figures": figures, "every_frame_over_curvestream": ratios}, indent=1))
        return
    print(f"{'':<28}{'curvestream':>14}{'every frame':>14}{'ratio':>8}")
    for name in ours:
        ratio = ratios[name]
        print(f"{name:<28}{ours[name]:>14.2f}{rival[name]:>14.2f}{'-' if ratio is None else f'{ratio:.2f}':>8}")


def _in_process(variant: str, arguments: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "evals.bench.chat", str(arguments.clip), "--variant", variant]
    command += ["--model", arguments.model, "--watch-s", str(arguments.watch_s)]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"})
    if run.returncode:
        raise SystemExit(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


async def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Measure one variant in this process; times in seconds, memory in MiB."""
    from agent.assistant import open_assistant
    from agent.config import load_config
    from agent.core.events import Answered

    peak = _PeakMemory()
    with tempfile.TemporaryDirectory() as folder:
        flags = {"folder": folder, "model": arguments.model, **VARIANTS[arguments.variant]}
        config = load_config(flags, environment={})

        async def answer(assistant: Any, question: str) -> Answered:
            events = [event async for event in assistant.ask(question)]
            assert isinstance(events[-1], Answered), events[-1]
            return events[-1]

        clip = str(arguments.clip)
        async with open_assistant(clip, config) as assistant:
            await assistant.watch()
            await answer(assistant, QUESTIONS[0])
            first_answer_s = time.monotonic() - STARTED
            model = assistant.model
        async with open_assistant(clip, config, realtime=True, loop=True, model=model) as assistant:
            await assistant.watch(arguments.watch_s)
            before = assistant.session.capture_stats
            answers = [await answer(assistant, question) for question in QUESTIONS]
            after = assistant.session.capture_stats
    seconds = sum(entry.seconds for entry in answers)
    captured = after.captured - before.captured
    late_s = after.late_mean_s * after.captured - before.late_mean_s * before.captured
    return {
        "first answer, s": first_answer_s,
        "memory, MiB": peak.stop(),
        "answer, s": seconds / len(answers),
        "tokens in, an answer": sum(entry.tokens_in for entry in answers) / len(answers),
        "frames captured meanwhile": captured,
        "frames due meanwhile": seconds,
        "frames dropped": after.dropped - before.dropped,
        "lateness max, s": after.late_max_s,
        "lateness mean, s": late_s / captured if captured else 0.0,
    }


class _PeakMemory:
    """Samples resident memory in a thread."""

    def __init__(self) -> None:
        self._peak_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        import psutil

        process = psutil.Process()
        while not self._stop.wait(SAMPLE_S):
            self._peak_bytes = max(self._peak_bytes, process.memory_info().rss)

    def stop(self) -> float:
        """Return the peak in MiB."""
        self._stop.set()
        self._thread.join()
        return self._peak_bytes / 2**20


if __name__ == "__main__":
    main()
