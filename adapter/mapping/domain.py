"""What a pack promises to carry, stated apart from its rows (`domain.yaml`).

A path of the canonical model and what may stand there; lists with `[]` (any number) or `[n]`; a
name with `!` is there whenever its parent is. Tables are stated a second time, and so are the words
and the code systems of their rows, so that a code, a word or a system that is swapped in a CSV file
does not go unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from adapter.mapping.pack_files import text_of
from adapter.mapping.packs import Pack
from adapter.mapping.table import Fault, TableError, Where

EVERY_ROW = "*"

Spec = Any
"""A kind of value by name, a list of codes, or a nested mapping of names to specs."""


@dataclass(frozen=True, slots=True)
class MapDomain:
    """The documents that one map carries there and back."""

    name: str
    kinds: tuple[str, ...] = ()
    carries: Mapping[str, Spec] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Domain:
    """The domain of a pack."""

    maps: Mapping[str, MapDomain]
    tables: Mapping[str, Mapping[str, str]]
    meanings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of a table, each row: ``left = right`` to its relationship and its words, EN / FR."""
    systems: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of a table, each row: ``left = right`` to its code systems, ``left = right`` as well;
    `EVERY_ROW` states those of all rows that are not named."""


def read_domain(pack: Pack) -> Domain:
    """The pack's domain; empty if it states none.

    Raises:
        TableError: the file is not YAML, or does not have the shape of a domain.
    """
    file = pack.file("domain.yaml")
    if not file.is_file():
        return Domain({}, {})
    try:
        text = yaml.safe_load(text_of(file)) or {}
        maps = {
            name: MapDomain(name, _kinds(spec.get("kind")), _nested(spec.get("carries", {})))
            for name, spec in text.get("maps", {}).items()
        }
        tables, meanings, systems = (
            {
                name: {str(left): str(right) for left, right in pairs.items()}
                for name, pairs in text.get(part, {}).items()
            }
            for part in ("tables", "meanings", "systems")
        )
    except (yaml.YAMLError, AttributeError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = Where(str(file), mark.line + 1 if mark else 1, mark.column + 1 if mark else 1)
        said = getattr(error, "problem", None) or "this is no domain"
        fault = Fault(where, "yaml", said, "write it as docs/reference/mapping-tables.md shows")
        raise TableError([fault]) from None
    return Domain(maps, tables, meanings, systems)


def _kinds(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _nested(carries: Mapping[str, Spec]) -> dict[str, Spec]:
    """Dotted paths as nested names."""
    root: dict[str, Spec] = {}
    for path, spec in carries.items():
        *parents, last = path.split(".")
        into = root
        for parent in parents:
            into = into.setdefault(parent, {})
        into[last] = _nested(spec) if isinstance(spec, Mapping) else spec
    return root


def projected(document: Any, spec: Spec) -> Any:
    """What a domain says of a document: everything else is left away; None if nothing is left."""
    if not isinstance(spec, Mapping):
        return document
    found: dict[str, Any] = {}
    for name, inner in spec.items():
        key, many, index = split_name(name)
        if not isinstance(document, Mapping) or key not in document:
            continue
        part = document[key]
        if many:
            part = [projected(each, inner) for each in part]
        elif index is not None:
            part = [projected(part[index], inner)] if index < len(part) else None
            if part and key in found:
                part = found[key] + part
        else:
            part = projected(part, inner)
        if part not in (None, {}, [], [None]):
            found[key] = part
    return found or None


def split_name(name: str) -> tuple[str, bool, int | None]:
    """Key, whether it is a list of any number, and the index of `name[n]`."""
    name = name.rstrip("!")
    key, bracket, rest = name.partition("[")
    if not bracket:
        return key, False, None
    return (key, True, None) if rest == "]" else (key, False, int(rest[:-1]))
