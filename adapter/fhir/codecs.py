"""The codecs of FHIR R4: how each data type is read and written, and what it fits."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapter.fhir import datatypes as types
from adapter.fhir.datatypes import (
    full_time,
    number,
    number_text,
    renamed,
    same,
    truth,
    whole,
    words,
)
from adapter.fhir.graph import Graph
from adapter.plugin.formats import Codec, CodecMaker, DomainError, Table

_TEXT_TYPES = frozenset(
    {
        "string",
        "code",
        "uri",
        "url",
        "canonical",
        "id",
        "markdown",
        "oid",
        "uuid",
        "xhtml",
        "http://hl7.org/fhirpath/System.String",
    }
)


def _shape(name: str, left: str, right: str, pairs: Sequence[tuple[str, str]]) -> CodecMaker:
    read, write = renamed(pairs)
    codec = Codec(
        name=name, read=read, write=write, left=frozenset({left}), right=frozenset({right})
    )
    return lambda arguments, tables: codec


def _fixed(codec: Codec) -> CodecMaker:
    return lambda arguments, tables: codec


_LINK = tuple((key, key) for key in ("reference", "display", "type"))


def _instant(value: str, env: Graph) -> str:
    if len(value) <= 10:
        raise DomainError("FHIR wants an instant to the second")
    return full_time(value, env)


def _unmarked(value: str, env: Graph) -> str:
    text = re.sub(r"(?i)<br\s*/?>|</p>|</div>", "\n", value)
    return html.unescape(re.sub(r"<[^>]*>", "", text)).replace("\xa0", " ").strip()


def _decoded(value: str, env: Graph) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise DomainError("this is no UTF-8 text in base64") from None


def _make_code(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    if len(arguments) != 1:
        raise ValueError("code takes the name of one code table")
    table = tables[arguments[0]]
    to_right, to_left = table.to_right, table.to_left
    why = f"the code is not in the table {arguments[0]}"

    def read(value: Any, env: Graph) -> str:
        found = to_right.get(value)
        if found is None:
            raise DomainError(why)
        return found

    def write(value: Any, env: Graph) -> str:
        found = to_left.get(value)
        if found is None:
            raise DomainError(why)
        return found

    return Codec(name="code", read=read, write=write, left=_TEXT_TYPES)


def _make_flag(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    """True where the code stands; the code is written for True only."""
    if len(arguments) != 1:
        raise ValueError("flag takes one code")
    code = arguments[0]
    return Codec(
        name="flag",
        read=lambda value, env: True if value == code else None,
        write=lambda value, env: code if value is True else None,
        left=_TEXT_TYPES,
        right=frozenset({"boolean"}),
        loses="no and not said are the same",
    )


def _reference(value: Mapping[str, Any], env: Graph) -> str | None:
    found = value.get("reference")
    return None if found is None else words(found, env)


def _text(
    name: str,
    write: Callable[[Any, Graph], Any] = same,
    left: frozenset[str] = _TEXT_TYPES,
    loses: str = "",
) -> CodecMaker:
    return _fixed(Codec(name=name, read=words, write=write, left=left, loses=loses))


_TIMES = frozenset({"dateTime", "date", "instant"})


CODECS: Mapping[str, CodecMaker] = {
    "text": _fixed(
        Codec(
            name="text",
            read=words,
            write=same,
            left=_TEXT_TYPES,
            read_source="{v} if type({v}) is str else words({v}, env)",
            write_source="{v}",
            always=True,
        )
    ),
    "lines": _text("lines"),
    "integer": _fixed(
        Codec(
            name="integer",
            read=whole,
            write=same,
            right=frozenset({"integer"}),
            left=frozenset({"integer", "positiveInt", "unsignedInt"}),
        )
    ),
    "decimal": _fixed(
        Codec(name="decimal", read=number_text, write=number, left=frozenset({"decimal"}))
    ),
    "boolean": _fixed(
        Codec(
            name="boolean",
            read=truth,
            write=same,
            left=frozenset({"boolean"}),
            right=frozenset({"boolean"}),
        )
    ),
    "date": _fixed(
        Codec(
            name="date",
            lossless=frozenset({"date"}),
            read=lambda v, e: words(v, e)[:10],
            write=lambda v, e: v[:10],
            left=_TIMES,
            loses="the time of day",
        )
    ),
    "dateTime": _text("dateTime", full_time, _TIMES),
    "instant": _text("instant", _instant, frozenset({"instant"})),
    "time": _text("time", left=frozenset({"time"})),
    "code": _make_code,
    "flag": _make_flag,
    "coding": _shape("coding", "Coding", "Coding", types.CODING),
    "concept": _fixed(
        Codec(
            name="concept",
            read=types.read_concept,
            write=types.write_concept,
            left=frozenset({"CodeableConcept"}),
            right=frozenset({"Concept"}),
        )
    ),
    "quantity": _fixed(
        Codec(
            name="quantity",
            read=types.read_quantity,
            write=types.write_quantity,
            left=frozenset({"Quantity", "Age", "Duration"}),
            right=frozenset({"Quantity"}),
        )
    ),
    "name": _shape("name", "HumanName", "HumanName", types.NAME),
    "address": _shape("address", "Address", "Address", types.ADDRESS),
    "phone": _shape("phone", "ContactPoint", "Telecom", types.TELECOM),
    "link": _shape("link", "Reference", "Link", _LINK),
    "period": _fixed(
        Codec(
            name="period",
            read=types.read_period,
            write=types.write_period,
            left=frozenset({"Period"}),
            right=frozenset({"Period"}),
        )
    ),
    "attachment": _shape("attachment", "Attachment", "Attachment", types.ATTACHMENT),
    "identifier": _fixed(
        Codec(
            name="identifier",
            read=types.read_identifier,
            write=types.write_identifier,
            left=frozenset({"Identifier"}),
            right=frozenset({"Identifier"}),
        )
    ),
    "reference": _fixed(
        Codec(
            name="reference",
            read=_reference,
            write=lambda v, e: {"reference": v},
            left=frozenset({"Reference"}),
        )
    ),
    "html": _fixed(
        Codec(
            name="html",
            read=_unmarked,
            write=lambda v, e: html.escape(v, quote=False),
            left=_TEXT_TYPES,
            loses="the markup",
        )
    ),
    "base64": _fixed(
        Codec(
            name="base64",
            read=_decoded,
            left=frozenset({"base64Binary"}),
            write=lambda v, e: base64.b64encode(v.encode()).decode(),
        )
    ),
    "items": _fixed(
        Codec(
            name="items",
            read=types.read_items,
            write=types.write_items,
            left=frozenset({"BackboneElement"}),
            right=frozenset({"AnswerItem"}),
            many=True,
            loses="whether an item stood under a question or under its answer",
        )
    ),
    "copy": _fixed(Codec(name="copy", read=same, write=same)),
}
