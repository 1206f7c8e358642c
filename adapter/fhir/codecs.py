"""FHIR R4 data types and the canonical model: each codec is a pair of functions on JSON values."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from adapter.fhir.graph import Graph, local_system
from adapter.plugin.formats import Codec, CodecMaker, DomainError, Table

V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
IDENTIFIER_VERSION = "http://hl7.org/fhir/ca/baseline/StructureDefinition/ext-identifierversion"
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
_KINDS_OF_0203 = (V2_0203, "http://hl7.org/fhir/v2/0203", "http://hl7.org/fhir/v2/0203/")


def same(value: Any, env: Graph) -> Any:
    """The value as it is."""
    return value


def _renamed(
    pairs: Sequence[tuple[str, str]], *converted: tuple[str, str, str]
) -> tuple[Callable[[Any, Graph], Any], Callable[[Any, Graph], Any]]:
    """A pair of functions between two objects whose keys differ only in name."""

    def read(value: Mapping[str, Any], env: Graph) -> Any:
        return {right: value[left] for left, right in pairs if left in value} or None

    def write(value: Mapping[str, Any], env: Graph) -> Any:
        return {left: value[right] for left, right in pairs if right in value} or None

    return read, write


def _shape(name: str, left: str, right: str, pairs: Sequence[tuple[str, str]]) -> CodecMaker:
    read, write = _renamed(pairs)
    codec = Codec(
        name=name, read=read, write=write, left=frozenset({left}), right=frozenset({right})
    )  # fmt: skip
    return lambda arguments, tables: codec


def _fixed(codec: Codec) -> CodecMaker:
    return lambda arguments, tables: codec


_NAME = tuple((key, key) for key in ("family", "given", "prefix", "suffix", "use", "text"))
_PERIOD = (("start", "start"), ("end", "end"))
_CODING = tuple((key, key) for key in ("system", "code", "display", "version"))
_TELECOM = tuple((key, key) for key in ("system", "value", "use", "rank"))
_ADDRESS = (
    ("line", "lines"), ("city", "city"), ("district", "district"), ("state", "state"),
    ("postalCode", "postal_code"), ("country", "country"), ("use", "use"), ("type", "type"),
    ("text", "text"),
)  # fmt: skip
_ATTACHMENT = (
    ("contentType", "content_type"), ("data", "data"), ("url", "url"), ("title", "title"),
    ("language", "language"),
)  # fmt: skip

read_coding, write_coding = _renamed(_CODING)
read_period, write_period = _renamed(_PERIOD)


def read_concept(value: Mapping[str, Any], env: Graph) -> dict[str, Any] | None:
    """Concept of a CodeableConcept."""
    found: dict[str, Any] = {}
    codings = [c for c in (read_coding(each, env) for each in value.get("coding", ())) if c]
    if codings:
        found["codings"] = codings
    if "text" in value:
        found["text"] = value["text"]
    return found or None


def write_concept(value: Mapping[str, Any], env: Graph) -> dict[str, Any] | None:
    """CodeableConcept of a Concept."""
    found: dict[str, Any] = {}
    if "codings" in value:
        found["coding"] = list(value["codings"])
    if "text" in value:
        found["text"] = value["text"]
    return found or None


def _authority(kind: str | None, assigner: str | None) -> str:
    return assigner or kind or "number"


def read_identifier(value: Mapping[str, Any], env: Graph) -> dict[str, Any] | None:
    """Identifier; a system that only repeats the authority's name is not one of its own."""
    if not value.get("value"):
        return None
    found: dict[str, Any] = {"value": value["value"]}
    for coding in value.get("type", {}).get("coding", ()):
        if coding.get("system") in _KINDS_OF_0203 and coding.get("code"):
            found["type"] = coding["code"]
            break
    assigner = value.get("assigner", {}).get("display")
    if assigner:
        found["assigner"] = assigner
    system = value.get("system")
    if system and system != local_system(
        env.settings.site, _authority(found.get("type"), assigner)
    ):
        found["system"] = system
    for extension in value.get("extension", ()):
        if extension.get("url") == IDENTIFIER_VERSION and "valueString" in extension:
            found["version"] = extension["valueString"]
    if "use" in value:
        found["use"] = value["use"]
    if "period" in value:
        period = read_period(value["period"], env)
        if period:
            found["period"] = period
    return found


def write_identifier(value: Mapping[str, Any], env: Graph) -> dict[str, Any] | None:
    """FHIR Identifier; without a system it gets the site's own for the authority's name."""
    get = value.get
    number = get("value")
    if not number:
        return None
    kind, assigner = get("type"), get("assigner")
    system = get("system") or local_system(env.settings.site, _authority(kind, assigner))
    found: dict[str, Any] = {"system": system, "value": number}
    if kind:
        found["type"] = {"coding": [{"system": V2_0203, "code": kind}]}
    if assigner:
        found["assigner"] = {"display": assigner}
    if "version" in value:
        found["extension"] = [{"url": IDENTIFIER_VERSION, "valueString": value["version"]}]
    if "use" in value:
        found["use"] = value["use"]
    if "period" in value:
        found["period"] = dict(value["period"])
    return found


_VALUES: tuple[tuple[str, str, Callable[[Any, Graph], Any], Callable[[Any, Graph], Any]], ...]


def read_items(value: Sequence[Mapping[str, Any]], env: Graph) -> list[dict[str, Any]] | None:
    """AnswerItems of QuestionnaireResponse.item, to any depth."""
    found = []
    for each in value:
        item: dict[str, Any] = {}
        if "linkId" in each:
            item["link_id"] = each["linkId"]
        if "text" in each:
            item["text"] = each["text"]
        inner = list(each.get("item", ()))
        answers = []
        for answer in each.get("answer", ()):
            inner.extend(answer.get("item", ()))
            for left, right, read, _ in _VALUES:
                if left in answer:
                    answers.append({right: read(answer[left], env)})
        if answers:
            item["answers"] = answers
        if inner:
            item["items"] = read_items(inner, env)
        found.append(item)
    return found or None


def write_items(value: Sequence[Mapping[str, Any]], env: Graph) -> list[dict[str, Any]] | None:
    """QuestionnaireResponse.item of AnswerItems."""
    found = []
    for each in value:
        item: dict[str, Any] = {}
        if "link_id" in each:
            item["linkId"] = each["link_id"]
        if "text" in each:
            item["text"] = each["text"]
        answers = [
            {left: write(answer[right], env)}
            for answer in each.get("answers", ())
            for left, right, _, write in _VALUES
            if right in answer
        ]
        if answers:
            item["answer"] = answers
        if "items" in each:
            item["item"] = write_items(each["items"], env)
        found.append(item)
    return found or None


# -- primitives -------------------------------------------------------------------------------------


def _full_time(value: str, env: Graph) -> str:
    """A dateTime as FHIR wants it: with seconds and offset where there is a time."""
    if len(value) <= 10:
        return value
    if value[16:17] != ":":
        value = f"{value[:16]}:00{value[16:]}"
    if value[-1] != "Z" and value[-6] not in "+-":
        raise DomainError("FHIR wants the offset of a time")
    return value


def _instant(value: str, env: Graph) -> str:
    if len(value) <= 10:
        raise DomainError("FHIR wants an instant to the second")
    return _full_time(value, env)


def _number(value: str, env: Graph) -> Any:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise DomainError("this is no number") from None
    if not number.is_finite():
        raise DomainError("this is no number")
    return int(value) if value.lstrip("-").isdigit() else number


def _number_text(value: Any, env: Graph) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise DomainError("this is no number")
    return str(value)


def read_quantity(value: Mapping[str, Any], env: Graph) -> dict[str, Any] | None:
    """Quantity with its value as text."""
    found = {key: value[key] for key in ("unit", "system", "code", "comparator") if key in value}
    if "value" in value:
        found["value"] = _number_text(value["value"], env)
    return found or None


def write_quantity(value: Mapping[str, Any], env: Graph) -> dict[str, Any] | None:
    """FHIR Quantity."""
    found = {key: value[key] for key in ("unit", "system", "code", "comparator") if key in value}
    if "value" in value:
        found["value"] = _number(value["value"], env)
    return found or None


def _truth(value: Any, env: Graph) -> bool:
    if value is True or value is False:
        return bool(value)
    raise DomainError("this is neither true nor false")


def _whole(value: Any, env: Graph) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise DomainError("this is no whole number")


def words(value: Any, env: Graph) -> str:
    """The value, if it is a string."""
    if isinstance(value, str):
        return value
    raise DomainError("this is no text")


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
    return found if isinstance(found, str) else None


def _text(
    name: str,
    write: Callable[[Any, Graph], Any] = same,
    left: frozenset[str] = _TEXT_TYPES,
    loses: str = "",
) -> CodecMaker:
    return _fixed(Codec(name=name, read=words, write=write, left=left, loses=loses))


_TIMES = frozenset({"dateTime", "date", "instant"})
read_attachment, write_attachment = _renamed(_ATTACHMENT)
_VALUES = (
    ("valueBoolean", "boolean", same, same),
    ("valueInteger", "integer", same, same),
    ("valueDecimal", "decimal", _number_text, _number),
    ("valueString", "string", same, same),
    ("valueDate", "date", same, same),
    ("valueDateTime", "date_time", same, _full_time),
    ("valueTime", "time", same, same),
    ("valueUri", "uri", same, same),
    ("valueCoding", "coding", read_coding, write_coding),
    ("valueQuantity", "quantity", read_quantity, write_quantity),
    ("valueAttachment", "attachment", read_attachment, write_attachment),
)

CODECS: Mapping[str, CodecMaker] = {
    "text": _fixed(
        Codec(
            name="text", read=words, write=same, left=_TEXT_TYPES,
            read_source="{v} if type({v}) is str else words({v}, env)", write_source="{v}",
        )  # fmt: skip
    ),
    "lines": _text("lines"),
    "integer": _fixed(
        Codec(name="integer", read=_whole, write=same, right=frozenset({"integer"}),
              left=frozenset({"integer", "positiveInt", "unsignedInt"}))
    ),
    "decimal": _fixed(
        Codec(name="decimal", read=_number_text, write=_number, left=frozenset({"decimal"}))
    ),
    "boolean": _fixed(
        Codec(name="boolean", read=_truth, write=same, left=frozenset({"boolean"}),
              right=frozenset({"boolean"}))
    ),
    "date": _fixed(
        Codec(name="date",
            lossless=frozenset({"date"}), read=lambda v, e: v[:10], write=lambda v, e: v[:10], left=_TIMES,
              loses="the time of day")
    ),
    "dateTime": _text("dateTime", _full_time, _TIMES),
    "instant": _text("instant", _instant, frozenset({"instant"})),
    "time": _text("time", left=frozenset({"time"})),
    "code": _make_code,
    "flag": _make_flag,
    "coding": _shape("coding", "Coding", "Coding", _CODING),
    "concept": _fixed(
        Codec(name="concept", read=read_concept, write=write_concept,
              left=frozenset({"CodeableConcept"}), right=frozenset({"Concept"}),)
    ),
    "quantity": _fixed(
        Codec(name="quantity", read=read_quantity, write=write_quantity,
              left=frozenset({"Quantity", "Age", "Duration"}), right=frozenset({"Quantity"}))
    ),
    "name": _shape("name", "HumanName", "HumanName", _NAME),
    "address": _shape("address", "Address", "Address", _ADDRESS),
    "phone": _shape("phone", "ContactPoint", "Telecom", _TELECOM),
    "period": _shape("period", "Period", "Period", _PERIOD),
    "attachment": _shape("attachment", "Attachment", "Attachment", _ATTACHMENT),
    "identifier": _fixed(
        Codec(name="identifier", read=read_identifier, write=write_identifier,
              left=frozenset({"Identifier"}), right=frozenset({"Identifier"}))
    ),
    "reference": _fixed(
        Codec(name="reference", read=_reference, write=lambda v, e: {"reference": v},
              left=frozenset({"Reference"}),)
    ),
    "html": _fixed(
        Codec(name="html", read=_unmarked, write=lambda v, e: html.escape(v, quote=False),
              left=_TEXT_TYPES, loses="the markup")
    ),
    "base64": _fixed(
        Codec(name="base64", read=_decoded, left=frozenset({"base64Binary"}),
              write=lambda v, e: base64.b64encode(v.encode()).decode())
    ),
    "items": _fixed(
        Codec(name="items", read=read_items, write=write_items,
              left=frozenset({"BackboneElement"}), right=frozenset({"AnswerItem"}),
              many=True,
            loses="whether an item stood under a question or under its answer",)
    ),
    "copy": _fixed(Codec(name="copy", read=same, write=same)),
}  # fmt: skip
