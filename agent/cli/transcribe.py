"""`attend transcribe`: the transcript of a recording as text, subtitles or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.errors import ConfigError, MediaError

if TYPE_CHECKING:
    from tools.media.sound import Utterance


def transcribe(
    file: Annotated[Path, typer.Argument(help="A video or audio file.")],
    srt: Annotated[bool, typer.Option("--srt", help="Print SubRip subtitles.")] = False,
    vtt: Annotated[bool, typer.Option("--vtt", help="Print WebVTT subtitles.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per line, with word times.")] = False,
    config: Annotated[Path | None, typer.Option(help="Settings file (default: attend.toml, if found).")] = None,
) -> None:
    """Print what is said in a file, with times, sentence by sentence as it is understood."""
    from agent.config import load_config
    from tools.hearing.transcribe import transcribe_file
    from tools.hearing.transcript import subtitles

    forms = [flag for flag, chosen in {"--srt": srt, "--vtt": vtt, "--json": as_json}.items() if chosen]
    if len(forms) > 1:
        raise ConfigError(f"cannot print {' and '.join(forms)} at once.", remedy="Choose one of them.")
    if not file.is_file():
        raise MediaError(f"cannot find {str(file)!r}.", expected="a video or audio file")
    settings = load_config({}, file=config)
    utterances = transcribe_file(str(file), settings.hearing, settings.media)
    texts = subtitles(utterances, "srt" if srt else "vtt") if srt or vtt else _lines(utterances, as_json)
    for text in texts:
        print(text, flush=True)


def _lines(utterances: Iterator[Utterance], as_json: bool) -> Iterator[str]:
    from tools.media import format_clock

    for line in utterances:
        if as_json:
            words = [{"start_s": round(w.start_s, 2), "end_s": round(w.end_s, 2), "word": w.text} for w in line.words]
            times = {"start_s": round(line.start_s, 2), "end_s": round(line.end_s, 2)}
            yield json.dumps({**times, "text": line.text, "words": words}, ensure_ascii=False)
        else:
            yield f"[{format_clock(float(int(line.start_s)))}] {line.text}"
