"""`attend memory show`: the frames that memory keeps of a source, at what detail, and why."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from agent.cli.console import safe
from agent.config import Config
from agent.perception.session import SourceSession, open_source_session
from memory.stream.score_plot import draw_scores
from tools.errors import ConfigError
from tools.media import format_clock


def show_memory(
    spec: str, config: Config, png: Path, until_s: float | None, console: Console, as_json: bool = False
) -> None:
    """Watch a source, print the decision on every kept frame, and draw the scores to a PNG.

    The source is watched into a temporary folder; its stored memory does not change.

    Raises:
        ConfigError: if a live source has no `until_s`.
        MediaError, StoreError: if the source cannot be read or the plot cannot be written.
    """
    with TemporaryDirectory(prefix="attend-show-") as folder, closing(_open(spec, config, Path(folder))) as session:
        if session.info.live and until_s is None:
            raise ConfigError(f"{session.info.name!r} has no end.", remedy="Limit it, e.g. --until 1:00.")
        with console.status("watching") as status:
            session.watch(until_s, lambda t_s: status.update(f"watching, at {format_clock(t_s)}"))
        memory, window = session.memory, session.memory.snapshot(until_s)
        shown = {kept.t_s: kept for kept in window}
        table = Table("time", "M", "C", "decision", "in memory", "frame", box=SIMPLE)
        for decision in memory.log:
            kept = shown.get(decision.t_s)
            if as_json:
                row = {
                    "t_s": decision.t_s,
                    "state": decision.state,
                    "M": decision.M,
                    "C": decision.C,
                    "CS": decision.CS,
                    "reason": decision.reason,
                    "shown_as": kept.state if kept else None,
                    "frame_id": kept.frame_id if kept else None,
                }
                print(json.dumps(row))
            elif decision.kept or kept:
                numbers = ["-" if value is None else f"{value:.3f}" for value in (decision.M, decision.C)]
                place = [kept.state, kept.frame_id[:8]] if kept else ["dropped", ""]
                table.add_row(format_clock(decision.t_s), *numbers, decision.reason, *place)
        draw_scores(memory.log, window, memory.gaps, config.memory, png, memory.image)
        if not as_json:
            console.print(table)
            stats = memory.stats
            console.print(
                f"{stats.seen} frames seen, {stats.clear} kept clear, {stats.fuzzy} fuzzy, "
                f"{stats.kept_now} in memory now ({stats.keep_rate:.0%} kept on arrival)",
                highlight=False,
            )
            console.print("The newest frame is always in memory as clear, whatever the decision: it shows the present.")
            for gap in memory.gaps:
                console.print(safe(f"no picture from {gap.text}"))
            console.print(safe(f"plot written to {png}"))


def _open(spec: str, config: Config, folder: Path) -> SourceSession:
    return open_source_session(spec, config.model_copy(update={"folder": folder, "take_notes": False}))
