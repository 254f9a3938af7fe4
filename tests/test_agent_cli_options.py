"""Options of `attend` itself: the version, what is logged and where, and the panels of its help."""

import logging
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from agent.cli.logs import PACKAGES
from tests.fixtures.here import attend_here

SECRET = "s3cr3t"


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    held = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in PACKAGES}
    yield
    for name, (handlers, level) in held.items():
        for handler in logging.getLogger(name).handlers:
            handler.close()
        logging.getLogger(name).handlers = handlers
        logging.getLogger(name).setLevel(level)


def test_the_version_is_that_of_the_distribution() -> None:
    assert attend_here(["--version"]).stdout == f"attend {version('attend-agent')}\n"


def test_the_log_file_names_source_and_model_without_their_credentials(tmp_path: Path) -> None:
    log = tmp_path / "attend.log"
    source, model = f"gopher://me:{SECRET}@host/clip", f"openai:m@http://me:{SECRET}@127.0.0.1:1/v1"
    asked = ["chat", source, "--model", model, "--ask", "?", "--folder", tmp_path]
    run = attend_here(["--log-file", log, *asked])
    assert run.returncode == 1
    written = log.read_text("utf-8")
    assert "DEBUG tools.media.sources: open the source gopher://***@host/clip" in written
    attend_here(["--log-file", log, "doctor", "--model", model, "--folder", tmp_path])
    written = log.read_text("utf-8")
    assert "DEBUG agent.models: load the model openai:m@http://***@127.0.0.1:1/v1" in written
    assert SECRET not in written


def test_a_secret_that_a_module_logs_by_mistake_is_masked(tmp_path: Path) -> None:
    log = tmp_path / "attend.log"
    attend_here(["--log-file", log, "models"])
    try:
        raise ValueError(f"no answer of rtsp://me:{SECRET}@camera/1")
    except ValueError:
        logging.getLogger("agent.anything").exception("token=%s", SECRET)
    written = log.read_text("utf-8")
    assert "ValueError: no answer of rtsp://***@camera/1" in written
    assert SECRET not in written


def test_verbose_prints_on_standard_error_and_else_nothing_is_printed(tmp_path: Path) -> None:
    asked = ["chat", "nothing.mp4", "--ask", "?", "--folder", tmp_path]
    assert "open the source" not in attend_here(asked, tmp_path).stderr
    run = attend_here(["--verbose", *asked], tmp_path)
    assert "DEBUG tools.media.sources: open the source nothing.mp4" in run.stderr
    assert "DEBUG" not in run.stdout


def test_a_log_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = attend_here(["--log-file", tmp_path, "models"])
    assert run.returncode == 1
    assert "cannot write the log file" in run.stderr


def test_the_help_has_panels_in_the_order_of_use() -> None:
    shown = attend_here(["--help"]).stdout
    places = [shown.index(panel) for panel in ("Ask and watch", "Memory", "Clinical work", "Set up", "Evaluate")]
    assert places == sorted(places)
    assert "--install-completion" in shown
