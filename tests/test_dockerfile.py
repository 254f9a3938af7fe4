"""The Dockerfile: what it copies is there and in the context, and its steps are the Makefile's."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def instructions(name: str) -> list[str]:
    """The arguments of each instruction of a name, continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return re.findall(rf"^{name} (.+)$", text, re.MULTILINE)


def makefile(variable: str) -> str:
    found = re.search(rf"^{variable} := (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert found, variable
    return found[1]


def test_what_is_copied_is_there_and_in_the_context() -> None:
    copied = [source for entry in instructions("COPY") for source in entry.split()[:-1]]
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert [line[1:] for line in ignore if line.startswith("!")] == copied
    assert all((ROOT / source).exists() for source in copied)


def test_all_that_the_wheel_is_built_from_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = {name.partition(".")[0] for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    named = {"pyproject.toml", project["project"]["readme"], *project["project"].get("license-files", ())}
    copied = {source for entry in instructions("COPY") for source in entry.split()[:-1]}
    assert packages | named == copied


def test_the_steps_are_those_of_the_makefile() -> None:
    packages, program, user = instructions("RUN")
    apt = re.search(r"apt-get install -y -qq --no-install-recommends (.+?) &&", packages)
    assert apt
    assert apt[1].split() == makefile("RUN_APT").split()
    install, setup = program.split(" && ")
    assert makefile("INSTALL").removeprefix("$(BIN)/") in install
    assert install.endswith(" .")
    assert setup.split()[1:] == ["attend", "setup", "$EXTRAS"]
    assert "attend setup" in (ROOT / "Makefile").read_text("utf-8")
    assert "useradd" in user


def test_it_runs_as_a_user_with_its_data_in_the_volume() -> None:
    from agent.config import load_config

    (environment,) = instructions("ENV")
    assert instructions("USER") == ["attend"]
    config = load_config(environment=dict(pair.split("=") for pair in environment.split()))
    assert [str(config.folder)] == instructions("VOLUME")
    assert instructions("ENTRYPOINT") == ['["attend"]']
