"""Ask about a clip: python examples/ask_clip.py CLIP "When does the picture change?" [--model openai:MODEL@URL]

CLIP is a video file, a folder of pictures, or any other source that `attend chat` takes.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from agent import Answered, AttendError, Needs, load_config, open_assistant


async def ask(clip: str, question: str, model: str | None, folder: Path) -> str:
    """Return the answer, or the model's request for input."""
    async with open_assistant(clip, load_config({"model": model, "folder": folder})) as assistant:
        await assistant.watch()
        async for event in assistant.ask(question):
            if isinstance(event, Answered):
                return event.answer.text
            if isinstance(event, Needs):
                return f"The model asks: {event.request.request}"
    return ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip")
    parser.add_argument("question")
    parser.add_argument("--model", help="model string (default: the embedded model)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        try:
            print(asyncio.run(ask(given.clip, given.question, given.model, Path(place))))
        except AttendError as error:
            sys.exit(f"error: {error}")
