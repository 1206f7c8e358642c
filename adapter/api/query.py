"""A search as it is understood, and everything that fits it (FHIR R4 3.1.1).

A search walks the newest versions in the order in which they were written, narrowed by one or more
things that the store keeps in columns and keyed hashes; everything asked is compared again with the
resource itself. Nobody's name can be searched for.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from adapter.api.caller import Caller
from adapter.api.comparisons import (
    Test,
    date_test,
    prefixed,
    reference_test,
    string_test,
    token_test,
    uri_test,
    values,
)
from adapter.api.faults import refused
from adapter.api.included import INCLUDES, REVINCLUDES, Include, include_of
from adapter.api.paging import Pairs
from adapter.api.parameters import PARAMETERS, Parameter
from adapter.api.read import resource
from adapter.api.sorting import Order
from adapter.api.subsets import SUMMARIES
from adapter.store.resources import ResourceRow

PAGE = 50
MOST = 500
CHUNK = 200
RESULT = (
    "_count", "_sort", "_summary", "_elements", "_total", "_include", "_revinclude", "_format",
    "_pretty",
)  # fmt: skip
INCLUDING = ("_include", "_revinclude")
Found = tuple[int, ResourceRow]


@dataclass(slots=True)
class Query:
    """A search as it was understood: what to narrow by, what to compare, how to answer."""

    kind: str
    narrow: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    either: tuple[str, str, list[str]] | None = None
    tests: list[Test] = field(default_factory=list)
    identity: str | None = None
    count: int = PAGE
    newest_first: bool = False
    orders: list[Order] = field(default_factory=list)
    summary: str = "false"
    total: str = ""
    elements: frozenset[str] = frozenset()
    include: list[Include] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, kind: str, asked: Pairs, *, base: str, lenient: bool = False) -> Query:
        """Understand the pairs of a query; what is not known is refused, or told if `lenient`.

        Raises:
            Refused: 400, with the parameter as its expression.
        """
        known = PARAMETERS.get(kind)
        if known is None:
            raise refused(404, f"There is no resource type {kind} here.", "http.url")
        query = cls(kind)
        for name, text in asked:
            plain, _, modifier = name.partition(":")
            if name in RESULT or (modifier == "iterate" and plain in INCLUDING):
                query._result(name, text, lenient)
            elif plain in known and (not modifier or modifier in known[plain].modifiers):
                if text:
                    query._narrowed(known[plain], plain, modifier, _split(text), base)
            elif lenient:
                query.ignored.append(name)
            else:
                listed = ", ".join(sorted(known))
                raise refused(
                    400, f"not known for {kind}. Known: {listed}", f"http.{plain_word(name)}"
                )
        return query

    def _result(self, name: str, text: str, lenient: bool) -> None:
        """The parameters that say how to answer (FHIR R4 3.1.1.5)."""
        allowed: dict[str, Sequence[str]] = {
            "_summary": SUMMARIES,
            "_total": ("none", "estimate", "accurate"),
        }
        if name == "_elements":
            self.elements |= {each.strip().rpartition(".")[2] for each in _split(text) if each}
        elif name == "_count":
            if not (text.isascii() and text.isdigit()) or len(text) > 9:
                raise refused(400, "a whole number is needed", "http._count")
            self.count = min(int(text), MOST)
            if not self.count:
                self.summary = "count"
        elif name == "_sort":
            if not self._sorted(text):
                self._unknown(name, sorted(PARAMETERS[self.kind]), lenient)
        elif name in allowed:
            if text in allowed[name]:
                setattr(self, name[1:], text)
            else:
                self._unknown(name, allowed[name], lenient)
        elif name.startswith(INCLUDING):
            plain, _, modifier = name.partition(":")
            one = include_of(self.kind, text, back=plain == "_revinclude", again=bool(modifier))
            if one is not None:
                self.include.append(one)
            else:
                known = (REVINCLUDES if plain == "_revinclude" else INCLUDES).get(self.kind, ())
                self._unknown(name, known, lenient)

    def _unknown(self, name: str, known: Sequence[str], lenient: bool) -> None:
        """Refuse a value, or leave its parameter out and say so."""
        if lenient:
            self.ignored.append(name)
            return
        listed = ", ".join(known) or "none"
        raise refused(400, f"for {self.kind} this may be: {listed}", f"http.{plain_word(name)}")

    def _sorted(self, text: str) -> bool:
        """Understand `_sort`; False if it names what cannot be sorted by."""
        names = [each.strip() for each in text.split(",")]
        known = PARAMETERS[self.kind]
        if any(each.removeprefix("-") not in known for each in names):
            return False
        self.newest_first = names == ["-_lastUpdated"]
        if names not in (["_lastUpdated"], ["-_lastUpdated"]):
            self.orders = [Order(known[n.removeprefix("-")], n.startswith("-")) for n in names]
        return True

    def _narrowed(
        self, parameter: Parameter, name: str, modifier: str, texts: list[str], base: str
    ) -> None:
        if modifier == "missing":
            self.tests.append(_missing(parameter, texts[0] == "true"))
            return
        if parameter.kind == "reference":
            texts = [each.removeprefix(f"{base}/") for each in texts]
        tests = [_test(parameter, name, modifier, each) for each in texts]
        if modifier == "not":
            self.tests.append(lambda content: not any(test(content) for test in tests))
            return
        self.tests.append(lambda content: any(test(content) for test in tests))
        if name == "_id" and len(texts) == 1 and self.identity is None:
            self.identity = texts[0]
        elif name == "_lastUpdated" and len(texts) == 1:
            self._since(texts[0], name)
        elif not modifier or modifier in parameter.targets:
            self._by_store(parameter, [_stored(parameter, each, modifier) for each in texts])

    def _since(self, text: str, name: str) -> None:
        prefix, (low, high) = prefixed(text, name)
        if prefix in ("gt", "ge", "eq"):
            before: datetime | None = self.narrow.get("updated_from")
            start = high - timedelta(milliseconds=1) if prefix == "gt" else low
            self.narrow["updated_from"] = max(before, start) if before else start
        if prefix in ("lt", "le", "eq"):
            self.narrow["updated_before"] = low if prefix == "lt" else high

    def _by_store(self, parameter: Parameter, wanted: list[str | None]) -> None:
        """Narrow by a column or key, where the store has one for every value asked."""
        texts = [each for each in wanted if each is not None]
        if len(texts) != len(wanted):
            return
        place = ("column", parameter.column) if parameter.column else ("key", parameter.key)
        if not place[1] or place[1] in self.narrow or place[1] in self.keys:
            return
        if len(texts) > 1:
            self.either = self.either or (*place, texts)
        elif place[0] == "column":
            self.narrow[place[1]] = texts[0]
        else:
            self.keys[place[1]] = texts[0]

    def fits(self, row: ResourceRow) -> bool:
        """Whether a resource is what was asked for."""
        content = resource(row)
        return all(test(content) for test in self.tests)


def plain_word(name: str) -> str:
    """A parameter's name as it may stand in an expression: it is the client's own text."""
    return "".join(c for c in name[:40] if c.isascii() and (c.isalnum() or c in "_-:"))


def _split(text: str) -> list[str]:
    """The values of a comma list; a comma that belongs to a value is escaped with a backslash."""
    found = [""]
    escaped = False
    for character in text:
        if escaped:
            found[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            found.append("")
        else:
            found[-1] += character
    return found


def _test(parameter: Parameter, name: str, modifier: str, text: str) -> Test:
    if parameter.kind == "date":
        return date_test(parameter, text, name)
    if parameter.kind == "string":
        return string_test(parameter, text, modifier)
    if parameter.kind == "uri":
        return uri_test(parameter, text)
    if parameter.kind == "token":
        return token_test(parameter, text)
    if modifier == "identifier":
        inside = tuple(f"{path}.identifier" for path in parameter.paths)
        return token_test(Parameter("token", inside), text)
    return reference_test(parameter, text, modifier)


def _missing(parameter: Parameter, wanted: bool) -> Test:
    return lambda content: (
        wanted is not any(True for path in parameter.paths for _ in values(content, path))
    )


def _stored(parameter: Parameter, text: str, modifier: str) -> str | None:
    """A value as the store keeps it, or None where it cannot narrow by it."""
    if parameter.kind == "reference":
        if "/" in text:
            return text
        targets = [modifier] if modifier else list(parameter.targets)
        return f"{targets[0]}/{text}" if len(targets) == 1 else None
    if parameter.kind == "string":
        return None
    if parameter.kind == "token":
        system, bar, code = text.rpartition("|")
        if parameter.key:
            return text if code and not (bar and not system) else None
        return code or None
    return text if "|" in text or parameter.key == "url" else None


def walk(caller: Caller, query: Query, after: int) -> Iterator[Found]:
    """Everything that fits and that the caller may see, from a place on, in the query's order."""
    if query.identity is not None:
        row = caller.get(query.kind, query.identity)
        if row is not None and query.fits(row) and not after:
            yield 1, row
        return
    narrowed = query.narrow | {"party": caller.narrowed(query.kind)}
    roads = [(narrowed, query.keys)]
    if query.either is not None:
        place, name, texts = query.either
        roads = [
            (narrowed | {name: each}, query.keys)
            if place == "column"
            else (narrowed, query.keys | {name: each})
            for each in dict.fromkeys(texts)
        ]
    streams = [_stream(caller, query, narrow, keys, after) for narrow, keys in roads]
    last = 0
    for sequence, row in heapq.merge(*streams, key=_place, reverse=query.newest_first):
        if sequence != last:
            shown = caller.compartment.shown(row)
            if shown is not None and query.fits(shown):
                yield sequence, shown
        last = sequence


def _place(found: Found) -> int:
    return found[0]


def _stream(
    caller: Caller, query: Query, narrow: dict[str, Any], keys: dict[str, str], after: int
) -> Iterator[Found]:
    while True:
        rows = caller.tx.resources.search(
            query.kind,
            **narrow,
            keys=keys,
            after=after,
            limit=CHUNK,
            newest_first=query.newest_first,
        )
        yield from rows
        if len(rows) < CHUNK:
            return
        after = rows[-1][0]


def matches(caller: Caller, query: Query, most: int) -> list[ResourceRow]:
    """The first resources that fit."""
    return [row for _, row in islice(walk(caller, query, 0), most)]
