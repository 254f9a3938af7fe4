"""What detection costs while a source is watched: `python -m evals.bench.observer CLIP`.

Prints a line of JSON for each measurement: processor time of a detection at some sizes; capture and processor time of a
clip that plays as if it were live, with detection off and on; memory and disk over a long synthetic stream.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from agent.config import Config
from agent.perception.observer import Observer
from agent.perception.session import open_source_session
from memory.stream.detections import Detections
from memory.stream.options import StreamOptions
from tools.media import Frame, MediaOptions, open_source
from tools.perception.detect import Detection
from tools.perception.options import PerceptionOptions

SIZES = ((640, 360), (1280, 720), (1920, 1080))
FRAMES = 6
CROWD = 8
"""Things in each frame of the synthetic stream."""
SYNTHETIC_QUOTA = 16 << 20


def main() -> None:
    """Run the three measurements, and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the clip plays, off and on")
    parser.add_argument("--frames", type=int, default=20_000, help="length of the synthetic stream")
    arguments = parser.parse_args()
    for row in measure_detection(arguments.clip):
        print(json.dumps({"detection": row}), flush=True)
    for detect in (False, True):
        print(json.dumps({"live": measure_live(arguments.clip, arguments.seconds, detect)}), flush=True)
    print(json.dumps({"synthetic": measure_synthetic(arguments.frames)}), flush=True)


def measure_detection(clip: Path) -> Iterator[dict[str, Any]]:
    """Yield the mean time of a detection at each size, in milliseconds of the processor and of the clock."""
    import cv2

    from agent.models.embedded.model import things

    with open_source(str(clip), MediaOptions(fps=1.0)) as source:
        pictures = [event.rgb for event in source if isinstance(event, Frame)][:FRAMES]
    for size in SIZES:
        scaled = [cv2.resize(rgb, size) for rgb in pictures]
        things(scaled[0])  # loads the weights
        wall, processor = time.perf_counter(), time.process_time()
        for rgb in scaled:
            things(rgb)
        yield {
            "size": f"{size[0]}x{size[1]}",
            "processor_ms": round(1000 * (time.process_time() - processor) / len(scaled)),
            "clock_ms": round(1000 * (time.perf_counter() - wall) / len(scaled)),
        }


def measure_live(clip: Path, seconds: float, detect: bool) -> dict[str, Any]:
    """Play a clip in a loop as if it were live, and return what capture and the processor did."""
    with tempfile.TemporaryDirectory() as folder:
        config = Config(
            folder=Path(folder),
            memory=StreamOptions(policy="last"),
            take_notes=False,
            perception=PerceptionOptions(detect=detect),
        )
        processor = time.process_time()
        with closing(open_source_session(str(clip), config, realtime=True, loop=True)) as session:
            session.watch(seconds)
            stats, numbers = session.capture_stats, session.status.numbers()
            looks = len(list(session.source_memory.detections.looks()))
        return {
            "detect": detect,
            "captured": stats.captured,
            "seen": numbers.seen,
            "dropped": stats.dropped,
            "late_mean_ms": round(1000 * stats.late_mean_s, 1),
            "late_max_ms": round(1000 * stats.late_max_s, 1),
            "looks": looks,
            "skipped": numbers.not_detected,
            "processor_ms_a_second": round(1000 * (time.process_time() - processor) / seconds),
        }


def measure_synthetic(frames: int) -> dict[str, Any]:
    """Observe a stream in which everything moves all the time, and return memory and disk at its quarters."""
    noise = np.random.default_rng(0)
    places = noise.random((frames, CROWD, 2)) * 0.8
    at = iter(places)

    def crowd(rgb: np.ndarray) -> list[Detection]:
        return [Detection("person", 0.9, (x, y, x + 0.1, y + 0.2)) for x, y in next(at)]

    quarters = []
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Detections(Path(folder), "synthetic", SYNTHETIC_QUOTA)) as stored,
        closing(Observer(stored, plays=False, detector=crowd)) as observer,
    ):
        for number in range(frames):
            observer.submit(Frame("synthetic", float(number), noise.integers(0, 255, (90, 120, 3), np.uint8)))
            if observer.waiting() > 4:
                observer.drain(60.0)
            if (number + 1) % (frames // 4) == 0:
                observer.drain(60.0)
                disk = sum(path.stat().st_size for path in Path(folder).iterdir())
                quarters.append({"peak_mib": _peak_mib(), "disk_mib": round(disk / 2**20, 2), "rows": len(stored)})
        return {"frames": frames, "things": CROWD, "skipped": observer.skipped, "quarters": quarters}


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    main()
