"""Watch a camera: python examples/watch_camera.py rtsp://HOST/stream "a person appears" --webhook http://127.0.0.1:8000/

Each alert is printed, and posted to the webhook as JSON. A file is played in real time, as if it were live.
"""

import argparse
import contextlib
import math
import sys
import tempfile

from agent import Alert, AttendError, Watcher, load_config, load_mllm, open_source_session

LAST_CHECK_S = 60.0


def print_alert(alert: Alert) -> None:
    print(f"{alert.t_s:.0f} s  {alert.condition}: {alert.text}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("condition")
    parser.add_argument("--webhook", help="an http(s) URL")
    parser.add_argument("--model", help="model string (default: the embedded model)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        try:
            config = load_config({"model": given.model, "folder": place})
            model = load_mllm(config.model, config.mllm)
            with contextlib.closing(open_source_session(given.source, config, realtime=True)) as session:
                with Watcher(model, session, config.watch, print_alert) as watcher:
                    watcher.add(given.condition, webhook=given.webhook)
                    session.watch(math.inf)
                    watcher.finish(LAST_CHECK_S)
                (status,) = watcher.statuses()
        except AttendError as error:
            sys.exit(f"error: {error}")
    print(f"{status.fired} alerts, {status.delivered} delivered. {status.reason}".strip())
