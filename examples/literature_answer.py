"""Answer a question from local literature: python examples/literature_answer.py PAPERS "Do statins reduce mortality?"

PAPERS is a file or folder of JSON Lines, PubMed or JATS XML, or PDF. Every sentence of the answer is quoted with the
id of its document; nothing is sent anywhere.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from agent import AttendError, index_paths, load_config, open_library
from tools import answer_text, quote_evidence

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("papers", type=Path)
    parser.add_argument("question")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        try:
            config = load_config({"folder": place})
            index_paths([given.papers], config, Console(stderr=True), dense=False, as_json=False)
            with open_library(config, names=["local"], dense=False) as library:
                print(answer_text(quote_evidence(given.question, library.retrieve(given.question, limit=50))))
        except AttendError as error:
            sys.exit(f"error: {error}")
