"""`attend memory same`: merging of two names of the same person or thing, and its undo."""

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
    """Merge two entities of a source, or separate them again.

    Args:
        spec: a source with a narrative memory.
        name, other: names as people write them; see `named`.
        config: the folder of the memory.
        console: for the two names that were matched.
        undo: separate them again.

    Raises:
        MediaError: if the source has no narrative memory.
        ConfigError: if a name is unknown, they are merged already, or (with `undo`) are not.
        StoreError: if the memory cannot be written.
    """
    with open_store(config, writer=True) as store:
        source, _ = built_source(store, spec, config)
        entities = store.entities(source)
        one, two = (named(entities, each) for each in (name, other))
        fact = f"{one.name!r} is {two.name!r}"
        if fold(one.name) == fold(two.name):
            raise ConfigError(
                f"{name!r} and {other!r} are one name, {one.name!r}.",
                expected="two names; names that differ only in case are merged already",
            )
        names = {entity.id: entity.name for entity in entities}
        if undo:
            separated = next((a for a, b in ((one, two), (two, one)) if store.merged_into(a.id) == b.id), None)
            if separated is None:
                raise ConfigError(
                    f"cannot separate {one.name!r} and {two.name!r}: they are not merged.",
                    expected=_describe_merges(store, names),
                )
            store.unmerge(separated.id, f"{one.name!r} is not {two.name!r}")
            fact = f"{one.name!r} is not {two.name!r}"
        else:
            if store.resolve(one.name, source) == store.resolve(two.name, source):
                raise ConfigError(f"{fact} already.", expected=_describe_merges(store, names))
            src, into = (one, two) if store.merged_into(one.id) is None else (two, one)
            if store.merged_into(src.id) is not None:
                raise ConfigError(
                    f"{one.name!r} and {two.name!r} are each merged with another name.",
                    expected=_describe_merges(store, names),
                    remedy="Give those names, or separate them first with --undo.",
                )
            store.merge(src.id, into.id, fact)
            longer = tuple(
                (each, found.id)
                for each, found in ((name, one), (other, two))
                if _without_article(each) != _without_article(found.name)
            )
            store.commit(Change(aliases=longer, reason=f"{fact}, as it was put"))
    console.print(safe(fact), highlight=False)


def named(entities: Sequence[Entity], name: str) -> Entity:
    """Return the entity that a name refers to: by exact name, else without its article, else by the longest known name
    in it, persons first.

    Raises:
        ConfigError: if it contains no known name.
    """
    exact = [entity for entity in entities if entity.name == name]
    by_name = {fold(entity.name): entity for entity in sorted(entities, key=lambda one: (one.name, one.id))}
    plain, bare = fold(name), _without_article(name)
    inside = [
        entity
        for known, entity in by_name.items()
        if f" {_without_article(known)} " in f" {' '.join(_WORD.findall(bare))} "
    ]
    inside.sort(key=lambda one: (-len(one.name.split()), one.kind != "person", -len(one.name), one.name))
    found = [*exact, *(by_name[form] for form in (plain, bare) if form in by_name), *inside]
    if not found:
        names = ", ".join(sorted(entity.name for entity in by_name.values())[:20])
        raise ConfigError(f"unknown name {name!r}.", expected=f"a name in the memory, such as: {names}")
    return found[0]


def _describe_merges(store: NarrativeStore, names: Mapping[str, str]) -> str:
    """Describe the merges so far."""
    pairs = [(name, store.merged_into(id_)) for id_, name in sorted(names.items(), key=lambda item: item[1])]
    merges = [f"{name!r} is {names[into]!r}" for name, into in pairs if into is not None and into in names]
    return f"so far: {', '.join(merges) or 'no names are merged'}"


def _without_article(name: str) -> str:
    return _ARTICLE.sub("", fold(name))
