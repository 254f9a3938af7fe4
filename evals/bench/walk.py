"""Counter of the source files that a command enters: `python -m evals.bench.walk chat CLIP --ask "QUESTION"`.

Counts a file once a function of it is entered, in any thread; bodies of modules and classes do not count.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "tools", "memory", "evals")


def main(arguments: list[str]) -> None:
    """Run `attend` with these arguments, then print each file with its number of entered functions."""
    from evals.cli import app

    entered: set[CodeType] = set()

    def enter(frame: FrameType, event: str, arg: Any) -> None:
        if event == "call":
            entered.add(frame.f_code)

    threading.setprofile(enter)
    sys.setprofile(enter)
    try:
        app(arguments, standalone_mode=False)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    counts = Counter(name for code in entered if (name := _file(code)))
    for name, functions in sorted(counts.items()):
        print(f"{functions:4}  {name}")
    print(f"{len(counts)} files, {counts.total()} functions")


def _file(code: CodeType) -> str:
    """Return the file of a function in our packages; "" for other code and for bodies of modules and classes."""
    path = Path(code.co_filename)
    if not code.co_flags & inspect.CO_OPTIMIZED or not path.is_relative_to(ROOT) or path == Path(__file__):
        return ""
    name = str(path.relative_to(ROOT))
    return name if name.startswith(tuple(f"{package}/" for package in PACKAGES)) else ""


if __name__ == "__main__":
    main(sys.argv[1:])
