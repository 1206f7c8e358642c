"""FHIR XML from a stranger (FHIR R4 2.6.1): the JSON of the same resource, or a refusal.

No document type is read, so that no entity is resolved, nothing grows and nothing is fetched; size,
depth and the number of elements have limits. What the definitions do not know is kept under its
name, so that the checks say where it is. A decimal keeps its digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from adapter.fhir.definitions import (
    ElementDefinition,
    is_primitive,
    is_resource,
    json_names,
    place,
)
from adapter.fhir.narrative import XHTML
from adapter.fhir.outcome import FATAL, Issue
from adapter.fhir.safe_json import USUAL, Limits
from adapter.fhir.xml_writer import FHIR

Json = dict[str, Any]
ELEMENTS = 200_000
_WHOLE = {"integer", "positiveInt", "unsignedInt"}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z", re.ASCII)
_XML = "http://www.w3.org/XML/1998/namespace"


class UnsafeXml(ValueError):  # noqa: N818 - named for what it says
    """Input that is not FHIR XML, or not safe to read; `code` is one word for the reason.

    Codes: too-large, too-deep, too-many, doctype, syntax, namespace, structure. The message quotes
    nothing of the input.
    """

    def __init__(self, code: str, message: str, at: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.at = at

    @property
    def issue(self) -> Issue:
        """The refusal as an issue."""
        kind = "too-long" if self.code.startswith("too-") else "structure"
        return Issue(FATAL, kind, self.at, str(self), f"xml-{self.code}")


@dataclass(slots=True)
class _Node:
    name: str
    attributes: dict[str, str]
    inside: list[_Node] = field(default_factory=list)
    text: str = ""
    """Of a narrative alone: its XHTML as it stands."""


def read_xml(data: bytes, limits: Limits = USUAL) -> Json:
    """The resource of a document as its JSON; raises UnsafeXml."""
    if len(data) > limits.size:
        raise UnsafeXml("too-large", f"the document has more than {limits.size} bytes")
    root = _Tree(limits.depth).read(data)
    if not is_resource(root.name):
        raise UnsafeXml("structure", "the root is no R4 resource")
    return _resource(root, root.name)


class _Tree:
    """The elements of a document, read once from its beginning to its end."""

    def __init__(self, depth: int) -> None:
        self._most = depth
        self._count = 0
        self._open: list[_Node] = []
        self._root: _Node | None = None
        self._xhtml: list[str] = []
        self._in_xhtml = 0

    def read(self, data: bytes) -> _Node:
        """The root; raises UnsafeXml."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            text = f"not XML at line {error.lineno}, column {error.offset}"
            raise UnsafeXml("syntax", text) from None
        except (ValueError, LookupError) as error:  # an encoding that expat does not know
            if isinstance(error, UnsafeXml):
                raise
            raise UnsafeXml("syntax", "the document is not in an encoding that is known") from None
        assert self._root is not None
        return self._root

    def _doctype(self, *_: Any) -> None:
        raise UnsafeXml("doctype", "a document type is not read here")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        self._count += 1
        if self._count > ELEMENTS:
            raise UnsafeXml("too-many", f"more than {ELEMENTS} elements")
        if len(self._open) + self._in_xhtml >= self._most:
            raise UnsafeXml("too-deep", f"nested more than {self._most} levels deep")
        if self._in_xhtml or (space == XHTML and local == "div" and self._open):
            self._start_xhtml(space, local, attributes)
            return
        if space != FHIR:
            raise UnsafeXml("namespace", f"an element is not of the namespace {FHIR}")
        plain = {each: value for each, value in attributes.items() if " " not in each}
        node = _Node(local, plain)
        if self._open:
            self._open[-1].inside.append(node)
        elif self._root is None:
            self._root = node
        self._open.append(node)

    def _start_xhtml(self, space: str, local: str, attributes: dict[str, str]) -> None:
        if space != XHTML:
            raise UnsafeXml("namespace", "a narrative is XHTML alone")
        said = "" if self._in_xhtml else f' xmlns="{XHTML}"'
        for name, value in attributes.items():
            of, _, plain = name.rpartition(" ")
            said += f" {'xml:' if of == _XML else ''}{plain}={quoteattr(value)}"
        self._in_xhtml += 1
        self._xhtml.append(f"<{local}{said}>")

    def _end(self, name: str) -> None:
        if not self._in_xhtml:
            self._open.pop()
            return
        self._xhtml.append(f"</{name.rpartition(' ')[2]}>")
        self._in_xhtml -= 1
        if not self._in_xhtml:
            self._open[-1].inside.append(_Node("div", {}, text="".join(self._xhtml)))
            self._xhtml.clear()

    def _characters(self, text: str) -> None:
        if self._in_xhtml:
            self._xhtml.append(escape(text))
        elif text.strip():
            at = ".".join(each.name for each in self._open)
            raise UnsafeXml("structure", "text stands where only elements may", at)


def _resource(node: _Node, at: str) -> Json:
    return {"resourceType": node.name, **_children(node, node.name, "", at)}


def _children(node: _Node, kind: str, under: str, at: str) -> Json:
    known = json_names(kind, under)
    made: Json = {}
    for child in node.inside:
        found = known.get(child.name)
        here = f"{at}.{child.name}"
        if found is None:
            made[child.name] = child.attributes.get("value", {})  # for the checks to refuse
            continue
        value, beside = _value(child, found, here)
        if found.repeats:
            _append(made, child.name, value, beside)
        elif child.name in made or f"_{child.name}" in made:
            raise UnsafeXml("structure", "this element comes once", here)
        else:
            made |= {} if value is None else {child.name: value}
            made |= {f"_{child.name}": beside} if beside else {}
    return made


def _append(made: Json, name: str, value: Any, beside: Json) -> None:
    """One more of a list; JSON fills with null where only one of value and extensions is there."""
    values, others = made.get(name, []), made.get(f"_{name}", [])
    count = max(len(values), len(others))
    if value is not None or values:
        made[name] = [*values, *[None] * (count - len(values)), value]
    if beside or others:
        made[f"_{name}"] = [*others, *[None] * (count - len(others)), beside or None]


def _value(node: _Node, found: ElementDefinition, at: str) -> tuple[Any, Json]:
    """The value of an element, and what JSON writes under ``_name``."""
    only = found.types[0] if len(found.types) == 1 else ""
    if only == "xhtml":
        return node.text, {}
    if is_primitive(only):
        beside = _children(node, "Element", "", at)
        if "id" in node.attributes:
            beside = {"id": node.attributes["id"], **beside}
        said = node.attributes.get("value")
        if said is None and not beside:
            raise UnsafeXml("structure", "this element needs a value", at)
        return (None if said is None else _primitive(said, only)), beside
    if only == "Resource":
        if len(node.inside) != 1 or not is_resource(node.inside[0].name):
            raise UnsafeXml("structure", "this element holds one resource", at)
        return _resource(node.inside[0], at), {}
    owner, below = place(found)
    attributes = ("id", "url") if owner == "Extension" else ("id",)
    said_of = {each: node.attributes[each] for each in attributes if each in node.attributes}
    return {**said_of, **_children(node, owner, below, at)}, {}


def _primitive(text: str, kind: str) -> Any:
    """A value as JSON has it; one that is not of its type stays text, for the checks to refuse."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind not in _WHOLE and kind != "decimal":
        return text
    if len(text) > USUAL.number or not _NUMBER.match(text):
        return text
    if text.lstrip("-").isdigit():
        return int(text)
    if kind in _WHOLE:
        return text
    number = float(text)
    return number if repr(number) == text else Decimal(text)
