"""Settings: flags over environment over file over defaults, and errors that name the setting."""

from pathlib import Path

import pytest

from agent.config import Config, known_settings, load_config, write_setting
from tools.errors import ConfigError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_flags_beat_environment_beats_file_beats_defaults() -> None:
    Path("attend.toml").write_text("model = 'file'\n[memory]\ncapacity = 7\nlam = 0.5\n[limits]\nsteps = 3\n")
    environment = {"ATTEND_MODEL": "environment", "ATTEND_MEMORY__CAPACITY": "8", "HOME": "/"}
    config = load_config({"model": "flag", "media.fps": None}, environment=environment)
    assert (config.model, config.memory.capacity, config.memory.lam, config.limits.steps) == ("flag", 8, 0.5, 3)
    assert config.media.fps == Config().media.fps


@pytest.mark.parametrize(
    ("toml", "environment", "words"),
    [
        ("[memory]\ncapasity = 3", {}, ["memory.capasity", "'memory.capacity'", "attend.toml"]),
        ("", {"ATTEND_MODELL": "x"}, ["ATTEND_MODELL", "'ATTEND_MODEL'"]),
        ("memory = 3", {}, ["unknown setting 'memory'"]),
        ("[memory]\ncapacity = 'many'", {}, ["memory.capacity", "'many'"]),
        ("[memory]\ncapacity = 0", {}, ["memory.capacity", "0"]),
        ("model = ", {}, ["attend.toml", "cannot read"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(toml: str, environment: dict[str, str], words: list[str]) -> None:
    Path("attend.toml").write_text(toml)
    with pytest.raises(ConfigError) as error:
        load_config(environment=environment)
    for word in words:
        assert word in str(error.value)


def test_a_named_file_must_exist() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load_config(file=Path("nowhere.toml"))


def test_every_setting_can_be_written_in_a_file() -> None:
    assert {"model", "folder", "media.fps", "memory.policy", "mllm.device", "limits.steps"} <= set(known_settings())


@pytest.mark.parametrize(
    ("written", "items"),
    [
        ("pubmed", ("pubmed",)),
        ("local,pubmed", ("local", "pubmed")),
        (" local , pubmed ,", ("local", "pubmed")),
        ('["local", "pubmed"]', ("local", "pubmed")),
        ('["local"]', ("local",)),
        ("[]", ()),
        ("", ()),
    ],
)
def test_a_list_comes_from_the_environment_as_json_or_with_commas(written: str, items: tuple[str, ...]) -> None:
    Path("attend.toml").write_text("[literature]\nsources = ['europepmc']\nknown = ['x']\n")
    config = load_config(environment={"ATTEND_LITERATURE__SOURCES": written})
    assert config.literature.sources == items
    assert config.literature.known == ("x",)


def test_every_setting_that_is_a_list_can_be_set_in_the_environment() -> None:
    environment = {"ATTEND_LITERATURE__KNOWN": '["Doe, Jane", "1955"]', "ATTEND_SERVER__ALLOWED_HOSTS": "a.org,b.org"}
    config = load_config(environment=environment)
    assert config.literature.known == ("Doe, Jane", "1955")
    assert config.server.allowed_hosts == ("a.org", "b.org")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('["local"', ["ATTEND_LITERATURE__SOURCES", "JSON array", "a,b"]),
        ("local,pubmet", ["literature.sources.1", "'pubmet'"]),
        ("[1]", ["literature.sources.0", "1"]),
    ],
)
def test_a_list_that_cannot_be_read_is_named(written: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(environment={"ATTEND_LITERATURE__SOURCES": written})
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'model = "new"\n'),
        ("# mine\nquota_mb = 20\n", 'model = "new"\n# mine\nquota_mb = 20\n'),
        ("[limits]\nsteps = 3\n", 'model = "new"\n[limits]\nsteps = 3\n'),
        ("quota_mb = 20\n  model  =  'old' # why\n[limits]\n", 'quota_mb = 20\nmodel = "new" # why\n[limits]\n'),
        ("quota_mb = 20\r\n", 'model = "new"\r\nquota_mb = 20\r\n'),
    ],
)
def test_one_setting_is_written_and_all_else_stays(before: str, after: str) -> None:
    file = Path("settings") / "attend.toml"
    if before:
        file.parent.mkdir()
        file.write_bytes(before.encode())
    write_setting(file, "model", "new")
    assert file.read_bytes().decode() == after
    assert load_config(file=file, environment={}).model == "new"


def test_a_settings_file_that_is_a_link_stays_one() -> None:
    Path("dotfiles.toml").write_text("model = 'old'\n")
    Path("dotfiles.toml").chmod(0o600)
    Path("attend.toml").symlink_to("dotfiles.toml")
    write_setting(Path("attend.toml"), "model", 'a "b"')
    assert Path("attend.toml").is_symlink()
    assert load_config(environment={}).model == 'a "b"'
    assert Path("dotfiles.toml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ['model = """\nold"""\n', '"model" = "old"\n', "model = "])
def test_a_settings_file_that_is_not_understood_is_left_alone(text: str) -> None:
    Path("attend.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"attend\.toml"):
        write_setting(Path("attend.toml"), "model", "new")
    assert Path("attend.toml").read_text() == text
