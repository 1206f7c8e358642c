"""The codecs of HL7 v2: each reads one raw repetition or part, and writes it again."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from adapter.plugin.formats import Codec, CodecMaker, DomainError, Table
from adapter_hl7v2 import people, times
from adapter_hl7v2.coded import make_coded, make_entity, make_identifier
from adapter_hl7v2.encoding import NULL
from adapter_hl7v2.environment import (
    Er7Environment,
    one_kind,
    parts_of,
    quoted,
    text,
    unlines,
    when,
)


def lines(raw: str, env: Er7Environment) -> str | None:
    """A whole repetition as text; delimiters in it are the sender's own characters."""
    if raw == NULL:
        return None
    value = env.unescape(raw)
    return (one_kind(value) if "\r" in value else value) or None


_TEXTUAL = frozenset(
    {"ST", "ID", "IS", "TX", "FT", "SI", "NM", "TN", "GTS", "FN", "SAD", "HD", "SNM"}
)


def _through(
    name: str,
    read: Callable[[str, Er7Environment], Any],
    write: Callable[[Any, Er7Environment], str],
    right: str = "string",
    loses: str = "",
    left: frozenset[str] = _TEXTUAL,
    lossless: frozenset[str] = frozenset(),
) -> CodecMaker:
    """A codec on the text of a part."""

    def reads(raw: str, env: Er7Environment) -> Any:
        value = raw if raw.isalnum() else text(raw, env)
        return None if value is None else read(value, env)

    codec = Codec(
        name=name,
        read=reads,
        write=write,
        left=left,
        right=frozenset({right}),
        loses=loses,
        lossless=lossless,
    )
    return lambda arguments, tables: codec


def _integer(value: str, env: Er7Environment) -> int:
    try:
        return int(value)
    except ValueError:
        raise DomainError("this is no whole number") from None


def _decimal(value: str, env: Er7Environment) -> str:
    try:
        if Decimal(value).is_finite():
            return value.lstrip("+")
    except InvalidOperation:
        pass
    raise DomainError("this is no number")


def _boolean(value: str, env: Er7Environment) -> bool:
    if value not in ("Y", "N"):
        raise DomainError("this is neither Y nor N")
    return value == "Y"


def _base64_text(value: str, env: Er7Environment) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise DomainError("this is no UTF-8 text in base64") from None


def _make_code(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    if len(arguments) != 1:
        raise ValueError("code takes the name of one code table")
    table = tables[arguments[0]]
    to_right, to_left = table.to_right, table.to_left

    def read(raw: str, env: Er7Environment) -> str | None:
        found = to_right.get(raw)
        if found is not None:
            return found
        value = text(raw, env)
        if value is None:
            return None
        found = to_right.get(value)
        if found is None:
            raise DomainError(f"the code is not in the table {arguments[0]}")
        return found

    def write(value: str, env: Er7Environment) -> str:
        found = to_left.get(value)
        if found is None:
            raise DomainError(f"the code is not in the table {arguments[0]}")
        return found if found.isalnum() else env.encoding.quote(found)

    return Codec(name="code", read=read, write=write, left=_TEXTUAL | {"CE", "CWE"})


def read_attachment(raw: str, env: Er7Environment) -> dict[str, Any] | None:
    """Attachment of an ED with base64 data."""
    parts = parts_of(raw, env)
    if not parts[5]:
        return None
    if (parts[4] or "Base64") != "Base64":
        raise DomainError("the encapsulated data are not in base64")
    kind = (parts[2] or "application").lower()
    kind = "application" if kind == "ap" else kind
    sub = (parts[3] or "octet-stream").lower()
    return {"content_type": f"{kind}/{sub}", "data": parts[5]}


def write_attachment(value: Mapping[str, Any], env: Er7Environment) -> str | None:
    """ED of an Attachment with data."""
    if not value.get("data"):
        return None
    kind, _, sub = (value.get("content_type") or "application/octet-stream").partition("/")
    return env.join(("", kind, sub, "Base64", value["data"])) or None


def read_quantity(raw: str, env: Er7Environment) -> dict[str, Any] | None:
    """Quantity of a CQ or NM."""
    parts = parts_of(raw, env)
    if not parts[1]:
        return None
    value = {"value": _decimal(parts[1], env)}
    return {**value, "unit": parts[2]} if parts[2] else value


def write_quantity(value: Mapping[str, Any], env: Er7Environment) -> str | None:
    """CQ of a Quantity."""
    return env.join((value.get("value") or "", value.get("unit") or "")) or None


def _health_number(value: str, env: Er7Environment) -> str:
    return re.sub(r"[\s-]", "", value).upper()


def _fixed(codec: Codec) -> CodecMaker:
    return lambda arguments, tables: codec


_TIMES = frozenset({"TS", "DTM", "DT", "TQ", "DR", "ST"})


def _date(raw: str, env: Er7Environment) -> str | None:
    value = raw if raw.isalnum() else text(raw, env)
    return None if value is None else times.iso_date(value, env.zone)


def _write_time(value: str, env: Er7Environment) -> str:
    return times.v2(value)


CODECS: Mapping[str, CodecMaker] = {
    "text": _fixed(
        Codec(
            name="text",
            read=text,
            write=quoted,
            read_source="{v} if {v}.isalnum() else plain({v}, env)",
            write_source="{v} if {v}.isalnum() else quote({v})",
        )
    ),
    "lines": _fixed(
        Codec(
            name="lines",
            read=lines,
            write=unlines,
            write_source="unlines({v}, env) if '\\r' in {v} else quote({v})",
            left=_TEXTUAL,
        )
    ),
    "integer": _through("integer", _integer, lambda v, e: str(v), "integer"),
    "decimal": _through("decimal", _decimal, lambda v, e: str(v)),
    "boolean": _through("boolean", _boolean, lambda v, e: "Y" if v else "N", "boolean"),
    "date": _fixed(
        Codec(
            name="date",
            read=_date,
            write=lambda v, e: times.v2(v[:10]),
            loses="the time of day",
            lossless=frozenset({"DT", "ST"}),
            left=_TIMES,
        )
    ),
    "dateTime": _fixed(
        Codec(
            name="dateTime",
            read=when,
            read_source="iso({v}, ZONE) if {v}.isalnum() else when({v}, env)",
            write=_write_time,
            write_source="v2({v})",
            left=_TIMES,
        )
    ),
    "instant": _fixed(Codec(name="instant", read=when, write=_write_time, left=_TIMES)),
    "time": _through(
        "time",
        lambda v, e: times.iso_time(v),
        lambda v, e: v.replace(":", ""),
        left=frozenset({"TM"}),
    ),
    "code": _make_code,
    "name": _fixed(
        Codec(
            name="name",
            read=people.read_name,
            write=people.write_name,
            left=frozenset({"XPN"}),
            right=frozenset({"HumanName"}),
        )
    ),
    "person": _fixed(
        Codec(
            name="person",
            read=people.read_person,
            write=people.write_person,
            left=frozenset({"XCN", "PPN", "CNN"}),
            right=frozenset({"HumanName"}),
        )
    ),
    "address": _fixed(
        Codec(
            name="address",
            read=people.read_address,
            write=people.write_address,
            left=frozenset({"XAD"}),
            right=frozenset({"Address"}),
        )
    ),
    "phone": people.make_phone,
    "identifier": make_identifier,
    "entity": make_entity,
    "coding": make_coded("coding"),
    "codings": make_coded("codings"),
    "concept": make_coded("concept"),
    "quantity": _fixed(
        Codec(
            name="quantity",
            read=read_quantity,
            write=write_quantity,
            left=frozenset({"CQ", "NM"}),
            right=frozenset({"Quantity"}),
        )
    ),
    "attachment": _fixed(
        Codec(
            name="attachment",
            read=read_attachment,
            write=write_attachment,
            left=frozenset({"ED"}),
            right=frozenset({"Attachment"}),
        )
    ),
    "base64": _through(
        "base64",
        _base64_text,
        lambda v, e: base64.b64encode(v.encode()).decode(),
    ),
    "health-number": _through(
        "health-number", _health_number, lambda v, e: quoted(v, e), loses="spaces and dashes"
    ),
}
