"""The record of a scored run on disk: what is written is read, and what is damaged is named."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evals.results import RunResults, load_results, save_results
from tests.eval_runs import made_up, run_of, sample
from tools.errors import StoreError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(TEXT, st.one_of(st.none(), st.floats(0, 1))), max_size=6), st.dictionaries(TEXT, TEXT))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float | None]], slices: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("runs") / "run.jsonl"
    samples = [
        sample(f"{number}", value, question=text, prediction=text, slices=slices)
        for number, (text, value) in enumerate(rows)
    ]
    run = run_of(samples, prices={"in": 0.5, "out": 1})
    save_results(run, path)
    assert load_results(path) == run
    assert len(path.read_bytes().split(b"\n")) == len(samples) + 2
    assert list(path.parent.iterdir()) == [path]


def test_a_sample_has_a_value_or_a_failure() -> None:
    for value, failure in ((None, ""), (0.5, "tool")):
        with pytest.raises(ValidationError, match="either a value or a failure"):
            sample(value=value, failure=failure) if value is None else run_of(
                [sample().model_validate({**sample().model_dump(), "value": value, "failure": failure})]
            )
    with pytest.raises(ValidationError, match="occurs twice"):
        run_of([sample("x"), sample("x")])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            '"value":1.0',
            '"value":1.5',
            r"run.jsonl', line 2, field 'value': 1.5: Input should be less",
        ),
        ('"value":1.0', '"value":"high"', r"line 2, field 'value': 'high'"),
        ('"task":"read",', "", r"line 2, field 'task': Field required"),
        ('"task":"read"', '"task":"read","mood":"good"', r"line 2, field 'mood'"),
        ('"value":1.0', '"failure":"bored"', r"line 2, field 'failure': 'bored'"),
        ('"id":"b"', '"id":"a"', r"line 3: task 'read', sample 'a', epoch 1 is also in line 2"),
        ('"results": 1', '"results": 9', r"line 1, field 'results' is 9.*Expected the format 1"),
        ('"manifest"', '"manifesto"', r"line 1 is not the head of a scored run"),
    ],
)
def test_damage_is_named_with_line_and_field(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "run.jsonl"
    save_results(run_of([sample("a"), sample("b")]), path)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(StoreError, match=told):
        load_results(path)


def test_a_line_cut_short_a_missing_file_and_odd_bytes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    save_results(run_of([sample("a"), sample("b")]), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match=r"line 3: .*a truncated last line may be removed"):
        load_results(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match="cannot read"):
        load_results(path)
    with pytest.raises(StoreError, match="cannot read"):
        load_results(tmp_path / "none.jsonl")


def test_a_manifest_that_is_not_plain_data_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    save_results(run_of([sample("a")]), path)
    before = path.read_bytes()
    for value in (Path("x"), float("nan")):
        with pytest.raises(StoreError, match="the manifest"):
            save_results(RunResults(manifest={"odd": value}, samples=()), path)
    assert path.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory of a process is read from /proc")
def test_ten_thousand_samples_take_little_memory(tmp_path: Path) -> None:
    """Load, add up and compare, in a process of its own."""
    path = tmp_path / "run.jsonl"
    save_results(made_up(1, n=10_000, fails=0.05), path)
    script = (
        "import json, sys; from pathlib import Path; from evals.results import load_results;"
        "from evals.stats.metrics import run_metrics; from evals.stats.compare import compare;"
        "run = load_results(Path(sys.argv[1])); run_metrics(run); compare(run, run);"
        "kib = next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'));"
        "print(json.dumps([len(run.samples), int(kib)]))"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    count, most = json.loads(ended.stdout)
    assert count == 10_000
    assert most < 500 * 2**10  # not ru_maxrss, which on Linux begins with what the parent had


def test_statistics_import_no_engine() -> None:
    script = (
        "import sys, evals.stats.compare, evals.stats.power; print('inspect_ai' in sys.modules, 'scipy' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "False"]
