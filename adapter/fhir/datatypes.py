"""FHIR R4 data types as canonical ones, and back: pairs of functions on JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from adapter.fhir.graph import Graph, local_system
from adapter.plugin.formats import DomainError

V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"


IDENTIFIER_VERSION = "http://hl7.org/fhir/ca/baseline/StructureDefinition/ext-identifierversion"


_KINDS_OF_0203 = (V2_0203, "http://hl7.org/fhir/v2/0203", "http://hl7.org/fhir/v2/0203/")


def same(value: Any, env: Graph) -> Any:
    """The value as it is."""
    return value


Function = Callable[[Any, Graph], Any]


def words(value: Any, env: Graph) -> str:
    """The value, if it is a string."""
    if type(value) is str:
        return value
    raise DomainError("this is no text")


def many_words(value: Any, env: Graph) -> list[str]:
    """The strings of a list. A null holds the place of a value that has an extension only."""
    if type(value) is not list:
        raise DomainError("this is no list of texts")
    for each in value:
        if type(each) is not str:
            return [words(one, env) for one in value if one is not None]
    return value[:]


def whole(value: Any, env: Graph) -> int:
    """The value, if it is a whole number; true and false are none."""
    if type(value) is int:
        return value
    raise DomainError("this is no whole number")


def truth(value: Any, env: Graph) -> bool:
    """The value, if it is true or false."""
    if value is True or value is False:
        return bool(value)
    raise DomainError("this is neither true nor false")


_LISTS = frozenset({"given", "prefix", "suffix", "line"})
_WHOLE = frozenset({"rank"})


def renamed(pairs: Sequence[tuple[str, str]]) -> tuple[Function, Function]:
    """A pair of functions between two objects whose keys differ only in name.

    The first refuses what R4 does not have under a name (DomainError), for it reads what others
    sent; the second trusts a document of the model.
    """
    return _reader(pairs), _copier([(right, left) for left, right in pairs])


def _reader(pairs: Sequence[tuple[str, str]]) -> Function:
    """A function that takes what stands under the first names, if it is what R4 has there."""
    lines = []
    for name, other in pairs:
        lines += [f"    if {name!r} in value:", f"        part = value[{name!r}]"]
        if name in _LISTS:
            lines += [
                "        part = many_words(part, env)",
                f"        if part: found[{other!r}] = part",
            ]
        elif name in _WHOLE:
            lines.append(f"        found[{other!r}] = whole(part, env)")
        else:
            lines.append(
                f"        found[{other!r}] = part if type(part) is str else words(part, env)"
            )
    return _written_out(lines)


def _copier(pairs: Sequence[tuple[str, str]]) -> Function:
    """A function that copies what stands under the first names to the second ones."""
    return _written_out(
        [f"    if {name!r} in value: found[{other!r}] = value[{name!r}]" for name, other in pairs]
    )


def _written_out(lines: Sequence[str]) -> Function:
    """The function of these lines, name by name: a loop over the names takes twice as long."""
    namespace: dict[str, Any] = {"words": words, "many_words": many_words, "whole": whole}
    source = ["def copied(value, env):", "    found = {}", *lines, "    return found or None"]
    exec("\n".join(source), namespace)  # noqa: S102 - from names only
    function: Function = namespace["copied"]
    return function


NAME = tuple((key, key) for key in ("family", "given", "prefix", "suffix", "use", "text"))


PERIOD = (("start", "start"), ("end", "end"))


CODING = tuple((key, key) for key in ("system", "code", "display", "version"))


TELECOM = tuple((key, key) for key in ("system", "value", "use", "rank"))


ADDRESS = (
    ("line", "lines"),
    ("city", "city"),
    ("district", "district"),
    ("state", "state"),
    ("postalCode", "postal_code"),
    ("country", "country"),
    ("use", "use"),
    ("type", "type"),
    ("text", "text"),
)


ATTACHMENT = (
    ("contentType", "content_type"),
    ("data", "data"),
    ("url", "url"),
    ("title", "title"),
    ("language", "language"),
)


read_coding, write_coding = renamed(CODING)


read_period, _renamed_period = renamed(PERIOD)


def write_period(value: Mapping[str, Any], env: Graph) -> dict[str, Any] | None:
    """FHIR Period: its times have seconds and offset, as every dateTime."""
    found = _renamed_period(value, env)
    if found is None:
        return None
    return {key: full_time(each, env) for key, each in found.items()}


read_attachment, write_attachment = renamed(ATTACHMENT)


def read_concept(value: Mapping[str, Any], env: Graph) -> dict[str, Any] | None:
    """Concept of a CodeableConcept."""
    found: dict[str, Any] = {}
    codings = []
    for each in value.get("coding", ()):
        coding = read_coding(each, env)
        if coding is not None:
            codings.append(coding)
    if codings:
        found["codings"] = codings
    if "text" in value:
        text = value["text"]
        found["text"] = text if type(text) is str else words(text, env)
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
    number = value.get("value")
    if not number:
        return None
    found: dict[str, Any] = {"value": words(number, env)}
    kind = assigner = None
    if "type" in value:
        for coding in value["type"].get("coding", ()):
            if coding.get("system") in _KINDS_OF_0203 and coding.get("code"):
                found["type"] = kind = words(coding["code"], env)
                break
    if "assigner" in value:
        assigner = value["assigner"].get("display")
        if assigner:
            found["assigner"] = words(assigner, env)
    system = value.get("system")
    if system and words(system, env) != local_system(env.settings.site, _authority(kind, assigner)):
        found["system"] = system
    if "extension" in value:
        for extension in value["extension"]:
            if extension.get("url") == IDENTIFIER_VERSION and "valueString" in extension:
                found["version"] = words(extension["valueString"], env)
    if "use" in value:
        found["use"] = words(value["use"], env)
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
        found["period"] = write_period(value["period"], env)
    return found


def full_time(value: str, env: Graph) -> str:
    """A dateTime as FHIR wants it: with seconds and offset where there is a time."""
    if len(value) <= 10:
        return value
    if value[16:17] != ":":
        value = f"{value[:16]}:00{value[16:]}"
    if value[-1] != "Z" and value[-6] not in "+-":
        raise DomainError("FHIR wants the offset of a time")
    return value


def number(value: str, env: Graph) -> Any:
    """A JSON number of a decimal as text; it keeps its zeros."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise DomainError("this is no number") from None
    if not number.is_finite():
        raise DomainError("this is no number")
    return int(value) if value.lstrip("-").isdigit() else number


def number_text(value: Any, env: Graph) -> str:
    """The text of a JSON number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise DomainError("this is no number")
    return str(value)


def read_quantity(value: Mapping[str, Any], env: Graph) -> dict[str, Any] | None:
    """Quantity with its value as text."""
    found = {
        key: words(value[key], env)
        for key in ("unit", "system", "code", "comparator")
        if key in value
    }
    if "value" in value:
        found["value"] = number_text(value["value"], env)
    return found or None


def write_quantity(value: Mapping[str, Any], env: Graph) -> dict[str, Any] | None:
    """FHIR Quantity."""
    found = {key: value[key] for key in ("unit", "system", "code", "comparator") if key in value}
    if "value" in value:
        found["value"] = number(value["value"], env)
    return found or None


_VALUES = (
    ("valueBoolean", "boolean", truth, same),
    ("valueInteger", "integer", whole, same),
    ("valueDecimal", "decimal", number_text, number),
    ("valueString", "string", words, same),
    ("valueDate", "date", words, same),
    ("valueDateTime", "date_time", words, full_time),
    ("valueTime", "time", words, same),
    ("valueUri", "uri", words, same),
    ("valueCoding", "coding", read_coding, write_coding),
    ("valueQuantity", "quantity", read_quantity, write_quantity),
    ("valueAttachment", "attachment", read_attachment, write_attachment),
)


def read_items(value: Sequence[Mapping[str, Any]], env: Graph) -> list[dict[str, Any]] | None:
    """AnswerItems of QuestionnaireResponse.item, to any depth."""
    found = []
    for each in value:
        item: dict[str, Any] = {}
        if "linkId" in each:
            item["link_id"] = words(each["linkId"], env)
        if "text" in each:
            item["text"] = words(each["text"], env)
        inner = list(each.get("item", ()))
        answers = []
        for answer in each.get("answer", ()):
            inner.extend(answer.get("item", ()))
            for left, right, read, _ in _VALUES:
                if left in answer and (known := read(answer[left], env)) is not None:
                    answers.append({right: known})
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
