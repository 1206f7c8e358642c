"""What R4 says of the places that mapping paths name: types, lists, required children, codes."""

from __future__ import annotations

from collections.abc import Sequence

from adapter.fhir.definitions import (
    UnknownElement,
    UnknownType,
    codes,
    definition,
    element,
    is_resource,
)
from adapter.plugin.formats import Element, Match, PathError, Step

_LISTS = ("index", "match", "items", "refs", "all")


def element_at(steps: tuple[Step, ...]) -> Element:
    """The element at an absolute path.

    Raises:
        PathError: ``unknown-path``, or ``list-needs-index`` where a list is addressed without
            saying which item, or a single element with an index.
    """
    path, repeats = "", False
    found = Element()
    for step in steps:
        if step.kind == "resource":
            path = _resource(str(step.key))
            found = Element((path,))
        elif step.kind == "key":
            if repeats:
                raise PathError(
                    f"{path} is a list",
                    fix="say which item: [0], [key=value], or a loop",
                    code="list-needs-index",
                )
            path = f"{path}.{step.key}"
            found = _element(path)
            repeats = found.repeats
        elif step.kind == "deref" or step.kind == "refs":
            _deref(path, str(step.key), repeats, step.kind == "refs")
            path, repeats = str(step.key), False
            found = Element((path,))
        elif step.kind in _LISTS:
            if not repeats:
                raise PathError(
                    f"{path} is no list", fix="leave the brackets away", code="list-needs-index"
                )
            repeats = False
            found = Element(found.types, codes=found.codes)
        for match in step.match:
            _match(path, match)
    return found


def _resource(name: str) -> str:
    if name == "Bundle" or is_resource(name):
        return name
    raise PathError(f"R4 has no resource type {name}", fix="begin with one, as in Patient.gender")


def _element(path: str) -> Element:
    try:
        found = element(path)
    except (UnknownElement, UnknownType) as error:
        what, _, has = str(error).partition("; ")
        raise PathError(what, fix=has or "see the R4 definitions") from None
    binding = found.binding
    bound = codes(binding.value_set) if binding and binding.strength == "required" else None
    known = frozenset().union(*bound.values()) if bound and "code" in found.types else None
    return Element(found.types, found.repeats, found.min > 0, known)


def _deref(path: str, target: str, repeats: bool, many: bool) -> None:
    _resource(target)
    found = element(path)
    if "Reference" not in found.types:
        raise PathError(f"{path} is no reference", fix="@ follows an element of type Reference")
    if repeats != many:
        raise PathError(
            f"{path} is {'a list' if repeats else 'no list'}",
            fix="write [0]@Type, []@Type or a loop" if repeats else "write @Type alone",
            code="list-needs-index",
        )
    if found.targets and target not in found.targets:
        raise PathError(
            f"{path} may not refer to a {target}", fix=f"it may refer to {', '.join(found.targets)}"
        )


def _match(path: str, match: Match) -> None:
    names = [str(part) for part in match.path if isinstance(part, str)]
    _element(".".join([path, *names]))


def required_of(paths: Sequence[tuple[Step, ...]]) -> Sequence[str]:
    """Required elements that nothing is written to, of all that is written otherwise."""
    written: set[str] = set()
    for steps in paths:
        path = ""
        for step in steps:
            if step.kind in ("resource", "deref", "refs"):
                if path:
                    written.add(path + "!")
                path = str(step.key)
            elif step.kind == "key":
                path = f"{path}.{step.key}"
            written.add(path)
            written.update(
                ".".join([path, *(str(p) for p in m.path[: n + 1] if isinstance(p, str))])
                for m in step.match
                if not m.negated
                for n in range(len(m.path))
            )
    missing: list[str] = []
    for parent in sorted(written):
        if parent.endswith("!") or not any(each.startswith(parent + ".") for each in written):
            continue
        missing.extend(_missing(parent, written))
    return missing


def _missing(parent: str, written: set[str]) -> list[str]:
    kind, _, under = parent.partition(".")
    try:
        if under:
            found = element(parent)
            if found.types not in (("BackboneElement",), ("Element",)):
                return []
            owner, _, inner = found.path.partition(".")
            children = definition(owner).children(inner)
        else:
            children = definition(kind).children()
    except (UnknownElement, UnknownType):
        return []
    missing = []
    for child in children:
        if child.min < 1 or kind == "Bundle":
            continue
        name = child.path.rpartition(".")[2]
        stem = name.removesuffix("[x]")
        if not any(
            each.startswith(f"{parent}.{stem}")
            if name.endswith("[x]")
            else each == f"{parent}.{name}"
            for each in written
        ):
            missing.append(f"{parent}.{name}")
    return missing
