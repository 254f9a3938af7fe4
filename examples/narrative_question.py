"""Ask about a story: python examples/narrative_question.py tale.txt "Why did Anna burn the copy?"

The story is a text, subtitles, a transcript, or a film with subtitles beside it. Its memory is built first and stored
in --folder; a second build processes only what has changed.
"""

import argparse
import sys

from rich.console import Console

from agent import AttendError, BuildOptions, ask_narrative, build_narrative, load_config

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("story")
    parser.add_argument("question")
    parser.add_argument("--folder", help="folder of the memory")
    parser.add_argument("--model", help="model string; the default, embedded, quotes the passages that answer")
    given = parser.parse_args()
    try:
        config = load_config({"folder": given.folder, "model": given.model})
        build_narrative(given.story, config, Console(stderr=True), BuildOptions())
        ask_narrative(given.story, given.question, config, Console(), as_json=False)
    except AttendError as error:
        sys.exit(f"error: {error}")
