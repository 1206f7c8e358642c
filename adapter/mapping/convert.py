"""From one format to another, through the canonical referral."""

from __future__ import annotations

from typing import Any

from adapter.mapping.errors import NoMapError
from adapter.mapping.packs import Packs
from adapter.plugin.formats import Settings

CANONICAL = "referral"
_DEFAULT = Settings()


def convert(
    raw: bytes,
    *,
    packs: Packs,
    source: str = "hl7v2",
    target: str = "fhir",
    settings: Settings = _DEFAULT,
    dialect: str | None = None,
    target_dialect: str | None = None,
) -> bytes:
    """One message in another format.

    Raises:
        DataError: the message cannot be read, has no map, or holds a value that a row cannot carry.
    """
    return packs.formats[target].dump(
        convert_tree(packs.formats[source].parse(raw), packs=packs, source=source, target=target,
                     settings=settings, dialect=dialect, target_dialect=target_dialect)
    )  # fmt: skip


def convert_tree(
    tree: Any,
    *,
    packs: Packs,
    source: str,
    target: str,
    settings: Settings = _DEFAULT,
    dialect: str | None = None,
    target_dialect: str | None = None,
) -> Any:
    """One tree in another format; see `convert`."""
    document = to_canonical(tree, packs, source, settings, dialect)
    if target == CANONICAL:
        return document
    kind = str(document.get("kind", ""))
    return packs.find_left(target, kind, CANONICAL, target_dialect).to_left(document, settings).tree


def to_canonical(
    tree: Any, packs: Packs, source: str, settings: Settings = _DEFAULT, dialect: str | None = None
) -> Any:
    """The canonical document of a tree."""
    if source == CANONICAL:
        return tree
    return packs.pick(source, tree, CANONICAL, dialect).to_right(tree, settings).document


__all__ = ["CANONICAL", "NoMapError", "convert", "convert_tree", "to_canonical"]
