"""The catalogue of models, what suits a machine, and the suggestion in `attend chat`."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from agent.cli import chat as chat_module
from agent.models import load_mllm
from agent.models.catalogue import GB, Entry, find_entry, load_catalogue, markdown_table
from agent.models.fingerprint import content_of
from agent.models.recommend import Machine, recommend
from agent.models.store import Manifest, StoredFile, find_model, local_name, models_folder, write_manifest
from tests.fixtures.here import attend_here
from tools.errors import ModelError

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ATTEND_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)


def put(name: str = "smolvlm2-256m", kind: str = "transformers") -> Path:
    """Put a model of one file into the store."""
    folder = models_folder() / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    record = StoredFile(bytes=2, sha256="44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", known=False)
    manifest = {"name": name, "kind": kind, "files": {"config.json": record}, "source": "file:here"}
    write_manifest(folder, Manifest.model_validate(manifest))
    return folder


@pytest.mark.parametrize("entry", load_catalogue().values(), ids=lambda entry: entry.name)
def test_what_is_not_pinned_is_marked(entry: Entry) -> None:
    if entry.repo:
        pinned = re.fullmatch(r"[0-9a-f]{40}", entry.revision) is not None
        assert pinned is ("revision" not in entry.unverified)
    else:
        assert entry.packages
        assert entry.files[entry.gguf].sha256
    assert all(re.fullmatch(r"[0-9a-f]{64}", file.sha256) for file in entry.files.values())
    assert set(entry.files) <= {entry.gguf, entry.mmproj, "model.safetensors"}
    assert bool(entry.gguf) is (entry.kind == "gguf")
    sizes = [file.bytes for file in entry.files.values() if file.bytes]
    assert sum(sizes) <= (entry.download_mb + 1) * 10**6
    assert local_name(entry.name) == entry.name


def test_the_page_shows_the_catalogue() -> None:
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    assert markdown_table() in page, "write the output of `python -m agent.models.catalogue` into docs/models.md"


def test_estimates_are_near_what_was_measured() -> None:
    """Measured: the two language models with llama.cpp; SmolVLM2 on clips on a GPU, by its publisher."""
    known = load_catalogue()
    for name, measured_gb in {"qwen2.5-1.5b": 1.9, "qwen2.5-0.5b": 0.71}.items():
        assert measured_gb - 0.1 <= known[name].ram_bytes / GB <= measured_gb + 0.5
    for name, measured_gb in {"smolvlm2-256m": 1.38, "smolvlm2-500m": 1.8, "smolvlm2-2.2b": 5.2}.items():
        assert measured_gb * 0.9 <= known[name].gpu_bytes / GB <= measured_gb * 1.2


def test_names_and_free_forms() -> None:
    assert find_entry("hf:a/b").unverified == ("revision",)
    pinned = find_entry(f"hf:a/b.c-d@{'0' * 40}")
    assert (pinned.repo, pinned.revision, pinned.unverified) == ("a/b.c-d", "0" * 40, ())
    with pytest.raises(ModelError, match=r"unknown model 'smolvlm-256m'.*Did you mean 'smolvlm2-256m'"):
        find_entry("smolvlm-256m")
    for name in ("", "..", "../x", "a/../b", "/etc", "a b"):
        assert find_model(name) is None
        with pytest.raises(ModelError, match="invalid model name"):
            local_name(name)


@pytest.mark.parametrize(
    ("ram", "gpu", "disk", "take"),
    [
        (8, 0, 100, "smolvlm2-500m"),
        (8, 0, 2, "lfm2.5-vl-450m"),
        (4, 0, 100, "smolvlm2-256m"),
        (2, 0, 100, None),
        (64, 0, 100, "internvl3.5-1b"),
        (16, 8, 100, "internvl3.5-2b"),
        (64, 24, 100, "qwen3-vl-8b"),
        (64, 24, 10, "qwen3-vl-4b"),
        (8, 1, 100, "smolvlm2-500m"),
    ],
)
def test_the_largest_that_fits_and_is_quick_is_recommended(ram: int, gpu: int, disk: int, take: str | None) -> None:
    machine = Machine(ram_bytes=ram * GB, free_ram_bytes=ram * GB, disk_bytes=disk * GB, gpu="GPU", gpu_bytes=gpu * GB)
    choice = recommend(machine)
    assert (choice.take and choice.take.name) == take
    assert take not in choice.fit_too
    assert all(load_catalogue()[name].kind == "transformers" for name in choice.fit_too)
    assert choice.language is None or not choice.language.sees


def test_the_recommendation_gives_the_commands_and_downloads_nothing() -> None:
    run = attend_here(["models", "recommend"])
    assert run.returncode == 0
    assert re.search(r"attend models pull [\w.-]+|No model is recommended", run.stdout)
    assert not models_folder().exists()


def test_a_pulled_model_is_listed_shown_and_fingerprinted() -> None:
    put()
    rows = [json.loads(line) for line in attend_here(["models", "list", "--json"]).stdout.splitlines()]
    assert [row["name"] for row in rows if row["here"]] == ["smolvlm2-256m"]
    assert "smolvlm2-256m here" in attend_here(["models", "list"]).stdout
    assert "here: smolvlm2-256m" in attend_here(["models"]).stdout
    shown = json.loads(attend_here(["models", "show", "smolvlm2-256m", "--json"]).stdout)
    assert shown["here"]["source"] == "file:here"
    assert "recorded" in attend_here(["models", "show", "smolvlm2-256m"]).stdout
    assert content_of("smolvlm2-256m") == content_of("hf:smolvlm2-256m") != ""
    assert json.loads(attend_here(["models", "show", "--json"]).stdout) == {
        "model": "embedded",
        "here": ["smolvlm2-256m"],
    }
    assert re.search(r"in use embedded\nhere +smolvlm2-256m", attend_here(["models", "show"]).stdout)
    with pytest.raises(ModelError, match="config"):
        load_mllm("smolvlm2-256m")


def test_what_is_not_here_is_shown_with_the_command_that_gets_it() -> None:
    shown = attend_here(["models", "show", "internvl3.5-2b"]).stdout
    assert re.search(r"unverified +revision", shown)
    assert "attend models pull internvl3.5-2b" in shown


def test_the_choice_of_a_model_is_written_into_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put()
    put("tiny--one")
    settings = tmp_path / "config" / "attend" / "attend.toml"
    for name, value in {"smolvlm2-256m": "smolvlm2-256m", "tiny/one": "hf:tiny/one", "embedded": "embedded"}.items():
        assert attend_here(["models", "use", name]).returncode == 0
        assert settings.read_text() == f'model = "{value}"\n'
    refused = attend_here(["models", "use", "qwen3-vl-2b"])
    assert (refused.returncode, "attend models pull qwen3-vl-2b" in refused.stderr) == (1, True)
    Path("attend.toml").write_text("quota_mb = 100\n")
    assert "--config attend.toml" in attend_here(["models", "use", "embedded"]).stdout
    attend_here(["models", "use", "smolvlm2-256m", "--config", "attend.toml"])
    assert Path("attend.toml").read_text() == 'model = "smolvlm2-256m"\nquota_mb = 100\n'
    assert "attend models use embedded" in attend_here(["models", "rm", "smolvlm2-256m"]).stdout
    monkeypatch.setenv("ATTEND_MODEL", "embedded")
    assert "ATTEND_MODEL is set" in attend_here(["models", "use", "embedded"]).stdout


def suggestion(folder: Path) -> str:
    out = io.StringIO()
    screen = chat_module.Screen(Console(file=out, width=200), as_json=False)
    chat_module._suggest_model(folder, screen)
    return out.getvalue()


def test_better_models_are_suggested_once_and_only_while_there_is_none(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    assert "attend models recommend" in suggestion(tmp_path / "first")
    assert suggestion(tmp_path / "first") == ""
    put()
    assert suggestion(tmp_path / "second") == ""


def test_nothing_is_suggested_to_a_script(tmp_path: Path) -> None:
    for arguments in ([], ["--json"]):
        run = attend_here(["chat", "nothing.mp4", "--ask", "?", "--folder", tmp_path, *arguments])
        assert "attend models" not in run.stdout + run.stderr
