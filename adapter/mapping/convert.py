"""From one format to another, through the canonical referral."""

from __future__ import annotations

from typing import Any

from adapter.mapping.explain import Explanation, Traced, explain_through, trace
from adapter.mapping.packs import Packs
from adapter.mapping.run import Map
from adapter.plugin.formats import Settings
from adapter.plugin.json_paths import find, replaced

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
    tree = convert_tree(
        packs.formats[source].parse(raw), packs=packs, source=source, target=target,
        settings=settings, dialect=dialect, target_dialect=target_dialect,
    )  # fmt: skip
    return packs.formats[target].dump(tree)


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
    """One tree in another format; see `convert`.

    A single JSON resource that goes to its own format comes back whole: what the model has no place
    for is put back where it stood.
    """
    if source == CANONICAL:
        document = tree
    else:
        first = packs.pick(source, tree, CANONICAL, dialect)
        if source == target and _single(packs, source, tree):
            return _there_and_back(first, tree, settings)
        document = first.to_right(tree, settings).document
    if target == CANONICAL:
        return document
    return _onward(packs, document, target, target_dialect).to_left(document, settings).document


def _onward(packs: Packs, document: Any, target: str, dialect: str | None) -> Map:
    return packs.find_left(target, str(document.get("kind", "")), CANONICAL, dialect)


def _single(packs: Packs, source: str, tree: Any) -> bool:
    return isinstance(tree, dict) and packs.formats[source].kind(tree) != "Bundle"


def _there_and_back(mapping: Map, tree: Any, settings: Settings) -> Any:
    """A resource with every value that the model holds as the model gives it back."""
    there = trace(mapping, tree, settings)
    back = trace(
        mapping, there.result, settings, to_right=False, kind=mapping.left_format.kind(tree)
    )
    values = {
        each.where: find(back.result, None, each.to_where)
        for each in explain_through(there, back).mapped
        if each.to_where and each.raw == each.value
    }
    return replaced(tree, {where: value for where, value in values.items() if value is not None})


def explain_tree(
    tree: Any,
    *,
    packs: Packs,
    source: str,
    target: str,
    settings: Settings = _DEFAULT,
    dialect: str | None = None,
    target_dialect: str | None = None,
) -> Explanation:
    """The same conversion, explained leaf by leaf.

    Raises:
        DataError: as `convert` does.
    """
    first: Traced | None = None
    document = tree
    if source != CANONICAL:
        first = trace(packs.pick(source, tree, CANONICAL, dialect), tree, settings)
        document = first.result
    second: Traced | None = None
    if target != CANONICAL:
        onward = _onward(packs, document, target, target_dialect)
        second = trace(onward, document, settings, to_right=False)
    if first is not None and second is not None:
        return explain_through(first, second)
    only = first or second
    if only is None:
        leaves = list(packs.formats[CANONICAL].leaves(tree))
        return Explanation(tree, len(leaves), (), (), ())
    return Explanation(only.result, only.parts, only.carried, only.lost, only.made)


__all__ = ["CANONICAL", "convert", "convert_tree", "explain_tree"]
