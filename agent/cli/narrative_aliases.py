"""`attend memory same`: two names of a source stand for the same, or do not, after all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich.console import Console

from agent.cli.console import safe
from agent.cli.narrative import built_source, open_store
from agent.config import Config
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.store.transaction import Change, fold
from memory.narrative.types import Entity
from tools.errors import ConfigError

_ARTICLE = re.compile(r"^(?:the|a|an|this|that|his|her|their|my|our|your)\s+")
_WORD = re.compile(r"[\w'’-]+")


def same_narrative(spec: str, name: str, other: str, config: Config, console: Console, *, undo: bool) -> None:
    """Let a name of a source stand for the same as another, or undo that.

    Args:
        spec: what was built.
        name, other: as people write them: without its article, or by the longest name that is known in it.
        config: where the memory lies.
        console: told which two names were meant.
        undo: they are two, after all.

    Raises:
        MediaError: if nothing was built of the source.
        ConfigError: if a name is not known, they are the same already, or (to undo) were not said to be.
        StoreError: if the memory cannot be written.
    """
    with open_store(config, writer=True) as store:
        source, _ = built_source(store, spec, config)
        entities = store.entities(source)
        one, two = (named(entities, each) for each in (name, other))
        told = f"{one.name!r} is {two.name!r}"
        if fold(one.name) == fold(two.name):
            raise ConfigError(
                f"{name!r} and {other!r} are one name, {one.name!r}.",
                expected="two names; those that differ only in case stand for the same without being told so",
            )
        names = {entity.id: entity.name for entity in entities}
        if undo:
            parted = next((a for a, b in ((one, two), (two, one)) if store.merged_into(a.id) == b.id), None)
            if parted is None:
                raise ConfigError(
                    f"{one.name!r} and {two.name!r} were not said to be the same.", expected=_said_of(store, names)
                )
            store.unmerge(parted.id, f"{one.name!r} is not {two.name!r}")
            told = f"{one.name!r} is not {two.name!r}"
        else:
            if store.resolve(one.name, source) == store.resolve(two.name, source):
                raise ConfigError(f"{told} already.", expected=_said_of(store, names))
            src, into = (one, two) if store.merged_into(one.id) is None else (two, one)
            if store.merged_into(src.id) is not None:
                raise ConfigError(
                    f"{one.name!r} and {two.name!r} are others already.",
                    expected=_said_of(store, names),
                    remedy="Name those, or undo that first with --undo.",
                )
            store.merge(src.id, into.id, told)
            longer = tuple(
                (each, found.id) for each, found in ((name, one), (other, two)) if _bare(each) != _bare(found.name)
            )
            store.commit(Change(aliases=longer, reason=f"{told}, as it was put"))
    console.print(safe(told), highlight=False)


def named(entities: Sequence[Entity], name: str) -> Entity:
    """Who or what is meant by a name as people write it: the entity of that name, else of it without its article, else
    of the longest known name in it, that of a person first.

    Raises:
        ConfigError: if no name that is known is in it.
    """
    exact = [entity for entity in entities if entity.name == name]
    by_name = {fold(entity.name): entity for entity in sorted(entities, key=lambda one: (one.name, one.id))}
    plain, bare = fold(name), _bare(name)
    inside = [
        entity for known, entity in by_name.items() if f" {_bare(known)} " in f" {' '.join(_WORD.findall(bare))} "
    ]
    inside.sort(key=lambda one: (-len(one.name.split()), one.kind != "person", -len(one.name), one.name))
    found = [*exact, *(by_name[form] for form in (plain, bare) if form in by_name), *inside]
    if not found:
        names = ", ".join(sorted(entity.name for entity in by_name.values())[:20])
        raise ConfigError(f"nobody is called {name!r} there.", expected=f"one of the names, such as: {names}")
    return found[0]


def _said_of(store: NarrativeStore, names: Mapping[str, str]) -> str:
    """What was said to be the same so far, in words."""
    pairs = [(name, store.merged_into(id_)) for id_, name in sorted(names.items(), key=lambda item: item[1])]
    said = [f"{name!r} is {names[into]!r}" for name, into in pairs if into is not None and into in names]
    return f"so far: {', '.join(said) or 'nothing was said to be the same'}"


def _bare(name: str) -> str:
    return _ARTICLE.sub("", fold(name))
