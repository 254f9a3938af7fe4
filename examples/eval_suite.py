"""Run your own suite: python examples/eval_suite.py examples/own_suite.py DATA [--model baseline:unsure]

`attend eval report RUN` shows a run, `attend eval compare RUN RUN` compares two.
"""

import argparse
import sys
from pathlib import Path

from agent import AttendError, load_config
from evals import RunOptions, run_suite

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", help="a Python file that defines SUITE, or a name from `attend eval list`")
    parser.add_argument("data", type=Path, help="the suite's data folder")
    parser.add_argument("--model", default="embedded", help="a model, or baseline:NAME for a baseline of the suite")
    parser.add_argument("--out", type=Path, default=Path("own-run"), help="a new folder for the run")
    given = parser.parse_args()
    try:
        run = run_suite(given.suite, given.model, given.data, load_config(), RunOptions(), given.out, lambda *_: None)
    except AttendError as error:
        sys.exit(f"error: {error}")
    values = [sample.value or 0.0 for sample in run.results.samples]
    print(f"{sum(values):g} of {len(values)} right; the run is in {run.folder}")
