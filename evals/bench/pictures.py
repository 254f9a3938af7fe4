"""Generator of the documentation's pictures, from the benchmarks' output and from a clip.

    python -m evals.bench.pictures CLIP [--docs docs]

`soak.png`, `stream.png` and `literature.png` come from the JSON files beside them; `memory.png`, `run.svg` and
`page.png` show the default model and a clip, the last one in headless Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

from rich.console import Console
from rich.text import Text

from agent.cli.chat import ChatOptions, chat
from agent.cli.memory_show import show_memory
from agent.config import load_config
from agent.server.serve import listen
from evals.bench import literature_scale, soak, stream
from evals.bench.streams.draw import draw
from evals.stats.means import Rate
from tools.gui.actuators.chromium import find_chromium, flags, start_playwright

QUESTIONS = ("What happens in the video, in order?", "When does the picture change?", "What do you see at the end?")
COLUMNS = 100
READY_S = 120.0


def main() -> None:
    """Draw all pictures into the documentation's folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, help="clip to show, such as .cache/bikes.mp4")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the JSON files and the pictures")
    arguments = parser.parse_args()
    draw_results(arguments.docs)
    with TemporaryDirectory() as folder:
        draw_memory(arguments.clip, Path(folder), arguments.docs / "memory.png")
        draw_run(arguments.clip, Path(folder), arguments.docs / "run.svg")
        draw_page(arguments.clip, Path(folder), arguments.docs / "page.png")


def draw_results(docs: Path) -> None:
    """Draw the benchmarks' plots from their output."""
    names = ("soak", "stream", "literature")
    results = {name: json.loads((docs / f"{name}.json").read_text("utf-8")) for name in names}
    soak.draw(results["soak"]["samples"], results["soak"]["bound"], docs / "soak.png")
    tables = {
        name: {
            row: {age: Rate.model_validate(cell) for age, cell in cells.items()}
            for row, cells in results["stream"]["tables"][name].items()
        }
        for name in ("recall", "answers")
    }
    panels = {"Evidence is among the frames shown": tables["recall"], "Answers that are right": tables["answers"]}
    draw(panels, stream.DRAWN, f"{stream.OURS}, 20 frames", docs / "stream.png")
    literature_scale.plot(results["literature"]["scale"], docs / "literature.png")


def draw_memory(clip: Path, folder: Path, path: Path) -> None:
    """Draw what memory keeps of a clip, and why."""
    config = load_config({"folder": folder, "media.fps": 5}, environment={})
    show_memory(str(clip), config, path, None, Console(file=io.StringIO()))


def draw_run(clip: Path, folder: Path, path: Path) -> None:
    """Draw a chat about a clip as a terminal shows it, with the fonts of the reader's machine."""
    config, options = load_config({"folder": folder}, environment={}), ChatOptions(ask=QUESTIONS)
    console = Console(file=io.StringIO(), width=2 * COLUMNS, record=True, highlight=False, emoji=False)
    console.print(f"$ attend chat {clip.name}")
    asyncio.run(chat(str(clip), config, options, console))
    terminal = Console(file=io.StringIO(), width=COLUMNS, record=True)
    terminal.print(Text.from_ansi(console.export_text(styles=True)))  # wraps streamed text
    svg = re.sub(r"@font-face \{.*?\}\n|<!--.*?-->", "", terminal.export_svg(title="Attend"), flags=re.S)
    path.write_text(svg.replace("Fira Code, ", ""), "utf-8")


def draw_page(clip: Path, folder: Path, path: Path) -> None:
    """Draw the live page after an alert and an answer."""
    config = load_config({"folder": folder, "server.port": 0}, environment={})
    with listen(config.server, Console(quiet=True)) as listening:
        port = listening.getsockname()[1]
    start = "from agent.cli.main import main; main()"
    command = [sys.executable, "-c", start, "serve", str(clip), "--loop", "--folder", str(folder), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    playwright = start_playwright()
    try:
        _wait(f"http://127.0.0.1:{port}", server)
        browser = playwright.chromium.launch(executable_path=find_chromium(None, headless=True), args=flags())
        page = browser.new_page(viewport={"width": 1400, "height": 860})
        page.goto(f"http://127.0.0.1:{port}")
        page.get_by_label("Condition").fill("the picture changes")
        page.get_by_label("Condition").press("Enter")
        page.get_by_role("article", name="Alert").first.wait_for(timeout=1_000 * READY_S)
        page.wait_for_timeout(6_000)  # to have more moments to answer from
        page.locator("#question").fill(QUESTIONS[1])
        page.locator("#question").press("Enter")
        page.locator(".turn[data-state=done]").wait_for(timeout=1_000 * READY_S)
        page.wait_for_timeout(4_000)  # to let the timeline catch up
        page.screenshot(path=path)
        browser.close()
    finally:
        playwright.stop()
        server.send_signal(signal.SIGINT)
        server.wait(READY_S)


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + READY_S
    while server.poll() is None and time.monotonic() < end_s:
        try:
            with urlopen(url):
                return
        except URLError:
            time.sleep(0.2)
    raise SystemExit(f"cannot reach the page at {url}.")


if __name__ == "__main__":
    main()
