"""Comparing JSON values in words, and what is wrong with the shape of one."""

from __future__ import annotations

from typing import Any


def difference(wanted: Any, found: Any, path: str = "", *, more: bool = False) -> str | None:
    """The first place where two JSON values differ, in words; None if they are equal.

    With `more`, an object that was found may have keys that are not wanted.
    """
    if type(wanted) is not type(found) and not (
        isinstance(wanted, int | float) and isinstance(found, int | float)
    ):
        return f"{path or 'document'}: {_shown(wanted)} became {_shown(found)}"
    if isinstance(wanted, dict):
        for key in wanted if more else {**wanted, **found}:
            place = f"{path}.{key}" if path else key
            inner = difference(wanted.get(key), found.get(key), place, more=more)
            if inner is not None:
                return inner
        return None
    if isinstance(wanted, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            inner = difference(one, other, f"{path}[{index}]", more=more)
            if inner is not None:
                return inner
        return None
    return None if wanted == found else f"{path}: {_shown(wanted)} became {_shown(found)}"


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) < 80 else text[:77] + "..."


def ill_formed(tree: Any) -> str | None:
    """What is wrong with the shape of a JSON tree: something empty, a dangling reference, an id
    twice; None if nothing is."""
    urls: list[str] = []
    references: list[str] = []
    empty = _walk(tree, "", urls, references)
    if empty is not None:
        return f"{empty} is empty"
    if len(urls) != len(set(urls)):
        return "two entries have the same fullUrl"
    dangling = [each for each in references if each.startswith("urn:uuid:") and each not in urls]
    return f"{len(dangling)} references do not resolve" if dangling else None


def _walk(tree: Any, path: str, urls: list[str], references: list[str]) -> str | None:
    if tree in ({}, [], "", None):
        return path or "the document"
    if isinstance(tree, dict):
        if isinstance(tree.get("fullUrl"), str):
            urls.append(tree["fullUrl"])
        if isinstance(tree.get("reference"), str):
            references.append(tree["reference"])
        parts: Any = tree.items()
    elif isinstance(tree, list):
        parts = enumerate(tree)
    else:
        return None
    for key, part in parts:
        found = _walk(part, f"{path}.{key}", urls, references)
        if found is not None:
            return found
    return None
