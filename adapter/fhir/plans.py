"""Compiled tests: for each place and each set of properties met there, one generated function.

A place is a type or one of its backbone elements; a Reference is a place for each set of targets.
Which properties an object has decides most of what can be wrong with it (unknown, missing, doubled,
rules about presence), so that is judged once, when the set is first met, and the function generated
for it only tests values:

    def plan(node, found):
        _, a1, a2, = node.values()
        if not (a1 in test1): return False              # Task.status, a required binding
        if not plans2[tuple(a2)](a2, found): return False   # Task.code, an object

No text of an input becomes part of a generated function. A hostile sender can invent sets, so each
check may compile only `BUDGET` of them and each place keeps `PLANS_PER_PLACE`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from adapter.fhir import primitives
from adapter.fhir.bindings import code_test, concept_test, enforced
from adapter.fhir.definitions import ElementDefinition, is_primitive, place, resource_types
from adapter.fhir.invariants import Invariant
from adapter.fhir.invariants.datatypes import CODING
from adapter.fhir.links import Found, reference_fault
from adapter.fhir.shape import (
    ABSOLUTE_SYSTEMS,
    Shape,
    doubled,
    hollow,
    item_rules,
    missing,
    shape,
    sibling,
    unknown,
)

Plan = Callable[[Any, Found], object]
Names = tuple[str, ...]
PLANS_PER_PLACE = 1024
BUDGET = 256
# Rules on a Bundle's entries that `adapter.fhir.fast` tests together, in one walk over them.
# That a code is known is tested with its system, pair by pair.
ELSEWHERE = frozenset({"bdl-2", "bdl-3", "bdl-4", "bdl-7", "unknown-code"})
_PAIR = frozenset({"system", "code"})
# Systems and codes recur in every message: the good ones are remembered, up to this many.
REMEMBERED = 4096
LONGEST_REMEMBERED = 256


class Plans(dict[Names, Plan]):
    """The plans of one place by property names; a set not met before compiles its plan."""

    def __init__(self, one: Shape, targets: Names | None = None) -> None:
        super().__init__()
        self._shape = one
        self._targets = targets

    def __missing__(self, names: Names) -> Plan:
        def first(node: Any, found: Found) -> object:
            if found.compiled >= BUDGET:
                raise ValueError("too many new sets of properties in one resource")
            found.compiled += 1
            if len(self) >= PLANS_PER_PLACE:
                self.clear()
            plan = self[names] = _compile(self._shape, names, self._targets)
            return plan(node, found)

        return first


class _Good(dict[Any, bool]):
    """Values (or tuples of them) that passed a test, remembered."""

    def __init__(self, test: primitives.Fast) -> None:
        super().__init__()
        self._test = test

    def __missing__(self, value: Any) -> bool:
        if not self._test(value):
            return False
        if len(self) >= REMEMBERED:
            self.clear()
        if len(value) <= LONGEST_REMEMBERED:
            self[value] = True
        return True


def _system(value: Any) -> bool:
    return bool(primitives.ABSOLUTE.fullmatch(value) and primitives.URI.fullmatch(value))


_SYSTEMS = _Good(_system).__getitem__


def _coding(pair: tuple[str, str]) -> bool:
    system, code = pair
    node = {"system": system, "code": code}
    good = _SYSTEMS(system) and primitives.FAST["code"](code)
    return bool(good) and len(code) <= LONGEST_REMEMBERED and all(r.test(node) for r in CODING)


# A coding's system, its code, and that the one has the other: remembered together.
_CODINGS = _Good(_coding)
_RECURRING = {kind: _Good(primitives.FAST[kind]).__getitem__ for kind in ("uri", "code")}


@cache
def plans(owner: str, below: str = "", targets: Names | None = None) -> Plans:
    """Return the plans of a place; `targets` are a Reference's allowed types."""
    return Plans(shape(owner, below), targets)


class _Resources(dict[str, Plans]):
    """The plans of each resource type, by resourceType; raises KeyError for what is none."""

    def __missing__(self, kind: str) -> Plans:
        if kind not in resource_types():
            raise KeyError(kind)
        found = self[kind] = plans(kind)
        return found


RESOURCES = _Resources()


class _Source:
    """The text of one plan and the objects it names."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {
            "control": primitives.CONTROL.search,
            "LONGEST": primitives.LONGEST,
        }

    def name(self, stem: str, value: Any) -> str:
        made = f"{stem}{len(self.scope)}"
        self.scope[made] = value
        return made

    def need(self, condition: str) -> None:
        self.lines.append(f"    if not ({condition}): return False")

    def function(self, variables: list[str]) -> Plan:
        head = ["def plan(node, found):"]
        if variables:
            head.append(f"    {', '.join(variables)}, = node.values()")
        text = "\n".join([*head, *self.lines, "    return True"])
        exec(compile(text, "<fhir plan>", "exec"), self.scope)  # noqa: S102 - our own text only
        plan: Plan = self.scope["plan"]
        return plan


def _compile(one: Shape, names: Names, targets: Names | None) -> Plan:
    """Judge a set of properties; raises ValueError for one that the explaining pass must see."""
    present = frozenset(names)
    if not all(type(name) is str for name in names):
        raise ValueError("property names must be strings")
    if unknown(one, present) or missing(one, present) or doubled(one, present):
        raise ValueError("the set of properties is wrong")
    if hollow(one, present):
        raise ValueError("nothing but an id")
    source, variables = _Source(), []
    for index, name in enumerate(names):
        variable = f"a{index}"
        variables.append(variable)
        paired = one.owner == "Coding" and name in {"system", "code"} and present >= _PAIR
        if not (paired or (one.resource and name == "resourceType")):
            _property(source, one, name, variable)
    for rule in one.rules:
        if rule.matters(present) and rule.key not in ELSEWHERE and not _settled(rule, present):
            source.need(f"{source.name('rule', rule.test)}(node)")
    if one.owner == "Coding" and present >= _PAIR:
        pair = f"({variables[names.index('system')]}, {variables[names.index('code')]})"
        source.need(f"{source.name('coding', _CODINGS)}[{pair}]")
    if targets is not None:
        _link(source, names, variables, targets)
    return source.function(variables)


class _LookedError(Exception):
    """A rule looked at a value, so that the names alone cannot settle it."""


class _NamesOnly(dict[str, Any]):
    """A node of which only the property names are known."""

    def get(self, key: str, default: Any = None) -> Any:
        raise _LookedError

    def __getitem__(self, key: str) -> Any:
        raise _LookedError


def _settled(rule: Invariant, names: frozenset[str]) -> bool:
    """Whether the names alone satisfy a rule; raises ValueError where they break it."""
    try:
        holds = rule.test(_NamesOnly(dict.fromkeys(names)))
    except _LookedError:
        return False
    if not holds:
        raise ValueError(f"the set of properties breaks {rule.key}")
    return True


def _property(source: _Source, one: Shape, name: str, variable: str) -> None:
    element = one.names.get(name)
    if element is None:
        plain = sibling(name, one.names)
        if plain is None or plain.repeats:
            raise ValueError("extended items of an array go to the explaining pass")
        source.need(
            f"{source.name('plans', plans('Element'))}[tuple({variable})]({variable}, found)"
        )
        return
    primitive = is_primitive(element.types[0] if element.types else "Element")
    test = _leaf if primitive else _branch
    if not element.repeats:
        source.need(test(source, element, variable))
        return
    source.need(f"type({variable}) is list and {variable}")
    source.lines.append(f"    for x in {variable}:")
    source.lines.append(f"        if not ({test(source, element, 'x')}): return False")


def _leaf(source: _Source, element: ElementDefinition, variable: str) -> str:
    kind = element.types[0]
    if kind in {"string", "markdown"}:
        return (
            f"({variable}.isprintable() or not control({variable}))"
            f" and {variable}.strip() and len({variable}) <= LONGEST"
        )
    if kind == "boolean":
        return f"{variable} is True or {variable} is False"
    if element.path in ABSOLUTE_SYSTEMS:
        return f"{source.name('test', _SYSTEMS)}({variable})"
    value_set = enforced(element.binding) if kind == "code" else None
    test = code_test(value_set) if value_set else None
    if test is None:
        return f"{source.name('test', _RECURRING.get(kind) or primitives.FAST[kind])}({variable})"
    listed = getattr(test, "__self__", None)
    if isinstance(listed, frozenset):
        return f"{variable} in {source.name('codes', listed)}"
    return f"{source.name('test', test)}({variable})"


def _branch(source: _Source, element: ElementDefinition, variable: str) -> str:
    owner, below = place(element)
    if owner == "Resource":
        from adapter.fhir.fast import contained, root

        inner = contained if element.name == "contained" else root
        return f"{source.name('resource', inner)}({variable}, found)"
    targets = element.targets if owner == "Reference" else None
    known = source.name("plans", plans(owner, below, targets))
    said = f"{known}[tuple({variable})]({variable}, found)"
    value_set = enforced(element.binding)
    if value_set is not None and (test := concept_test(owner, value_set)) is not None:
        said += f" and {source.name('bound', test)}({variable})"
    if owner == "Extension" and element.path != "Extension.extension":
        said += f" and ':' in {variable}['url']"
    for rule in item_rules(element):
        said += f" and {source.name('rule', rule.test)}({variable})"
    return said


def _link(source: _Source, names: Names, variables: list[str], targets: Names) -> None:
    """Add the test of what a Reference names."""
    by_name = dict(zip(names, variables, strict=True))
    kind = by_name.get("type", "None")
    if "reference" not in by_name:
        if targets and "type" in by_name:
            source.need(f"{kind} in {source.name('allowed', frozenset(targets))}")
        return
    source.scope |= {
        "allowed": frozenset(targets) or resource_types(),
        "identity": primitives.ID.fullmatch,
        "targets": targets,
        "other": _other_link,
    }
    link = by_name["reference"]
    source.lines += [
        f"    if {link}[:4] == 'urn:':",
        f"        found.bundled.append(({link}, targets, ''))",
        f"        return {kind} is None",
        f"    head, _, tail = {link}.partition('/')",
        "    if head in allowed and identity(tail):",
        f"        return {kind} is None or {kind} == head",
        f"    return {kind} is None and other({link}, targets, found)",
    ]


def _other_link(link: str, targets: Names, found: Found) -> bool:
    if link[0] == "#":
        found.local.append((link, targets, ""))
        return True
    return reference_fault(link, targets) is None
