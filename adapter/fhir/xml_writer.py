"""A resource as FHIR XML (FHIR R4 2.6.1), by the definitions: every element in its order.

Written here because the digits of a decimal, the form of a date and the id of a primitive must come
through as they are; the models of fhir.resources write them anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from adapter.fhir.definitions import (
    ElementDefinition,
    UnknownType,
    is_primitive,
    is_resource,
    json_names,
    place,
)
from adapter.fhir.narrative import XHTML, narrative_fault, without_names

FHIR = "http://hl7.org/fhir"
Json = Mapping[str, Any]
# Characters that XML 1.0 cannot hold in any way (2.2).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_xml(resource: Json) -> bytes:
    """A resource as an XML document in UTF-8.

    What the definitions do not know has no name in XML and is left out: check a resource first.

    Raises:
        UnknownType: it is no R4 resource.
    """
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or not is_resource(kind):
        raise UnknownType("there is no such R4 resource")
    parts = _resource(resource, f' xmlns="{FHIR}"')
    return ('<?xml version="1.0" encoding="UTF-8"?>' + "".join(parts)).encode()


def _resource(resource: Json, space: str = "") -> Iterator[str]:
    kind = str(resource.get("resourceType"))
    yield f"<{kind}{space}>"
    yield from _children(resource, kind, "", attributes=())
    yield f"</{kind}>"


def _children(value: Json, kind: str, under: str, attributes: tuple[str, ...]) -> Iterator[str]:
    for name, found in json_names(kind, under).items():
        if name in attributes or not (name in value or f"_{name}" in value):
            continue
        held, beside = value.get(name), value.get(f"_{name}")
        if not found.repeats:
            yield from _element(name, found, held, beside)
            continue
        many = held if isinstance(held, list) else []
        more = beside if isinstance(beside, list) else []
        for index in range(max(len(many), len(more))):
            one = many[index] if index < len(many) else None
            other = more[index] if index < len(more) else None
            yield from _element(name, found, one, other)


def _element(name: str, found: ElementDefinition, value: Any, beside: Any) -> Iterator[str]:
    """One element; `beside` is what JSON writes under ``_name``."""
    if value is None and beside is None:
        return
    only = found.types[0] if len(found.types) == 1 else ""
    if only == "xhtml":
        yield _div(str(value))
    elif is_primitive(only):
        yield from _primitive(name, value, beside if isinstance(beside, dict) else {})
    elif only == "Resource" and isinstance(value, dict):
        yield f"<{name}>"
        yield from _resource(value)
        yield f"</{name}>"
    elif isinstance(value, dict):
        owner, below = place(found)
        attributes = ("id", "url") if owner == "Extension" else ("id",)
        said = "".join(f" {each}={_quoted(value[each])}" for each in attributes if each in value)
        yield f"<{name}{said}>"
        yield from _children(value, owner, below, attributes)
        yield f"</{name}>"


def _primitive(name: str, value: Any, beside: Json) -> Iterator[str]:
    said = f" id={_quoted(beside['id'])}" if "id" in beside else ""
    if value is not None:
        said += f" value={_quoted(value)}"
    inside = "".join(_children(beside, "Element", "", attributes=("id",)))
    yield f"<{name}{said}>{inside}</{name}>" if inside else f"<{name}{said}/>"


def _quoted(value: Any) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return quoteattr(_NOT_XML.sub("\ufffd", text), {"\r": "&#13;"})


def _div(text: str) -> str:
    """A narrative, which is XML already; as plain words if it is not."""
    mended = without_names(text)  # of records that were kept before names were refused
    if narrative_fault(mended) is None:
        return mended
    return f'<div xmlns="{XHTML}">{escape(_NOT_XML.sub(chr(0xFFFD), text))}</div>'
