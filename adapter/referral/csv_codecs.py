"""Codecs of the CSV format: what people type in a cell, and the canonical value.

Dates are ISO 8601 only: ``03/04/2026`` means two days, and is refused rather than guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapter.plugin.formats import Codec, CodecMaker, DomainError, Settings, Table

TEXT = frozenset({"text"})
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?")
_CONCEPT = re.compile(r"(?s)(.*?)\s*\[([^\[\]]*)\]")
_NUMBERED = re.compile(r"(?s)(?:([^|]+)\|)?([^|]+?)(?: \(([A-Z0-9]+)\))?")
_YES = frozenset({"yes", "y", "true", "1", "oui", "o", "vrai", "x"})
_NO = frozenset({"no", "n", "false", "0", "non", "faux"})


class CellEnvironment:
    """What codecs know: the site's settings, and where ``else: report`` puts what it left out."""

    __slots__ = ("reported", "settings")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.reported: list[tuple[Any, ...]] = []

    def report(self, number: int, error: DomainError, where: Any = None) -> None:
        """Keep what a row left out."""
        self.reported.append((number, error.why, where))


def _lines(value: str, env: CellEnvironment) -> str:
    """Text with line ends of one kind, whichever a spreadsheet made of them."""
    return value.replace("\r\n", "\n").replace("\r", "\n")


def _same(value: Any, env: CellEnvironment) -> Any:
    return value


def _spaced(value: str, env: CellEnvironment) -> str:
    return re.sub(r"[\s-]", "", value)


def _date(value: str, env: CellEnvironment) -> str:
    found = _DATE.fullmatch(value.strip())
    if found is None:
        raise DomainError("a date is YYYY-MM-DD; other forms can be read in two ways")
    return _real(value.strip(), f"{found[1]}-{found[2] or '01'}-{found[3] or '01'}")


def _real(value: str, whole: str) -> str:
    try:
        datetime.fromisoformat(whole)
    except ValueError:
        raise DomainError("there is no such date or time") from None
    return value


def _date_time(value: str, env: CellEnvironment) -> str:
    text = value.strip()
    found = _TIME.fullmatch(text)
    if found is None:
        return _date(text, env)
    day, time, offset = found.groups()
    whole = f"{day}T{time}"
    _real(whole, whole + (offset or ""))
    return whole + (offset or _offset(whole, env.settings.timezone))


def _offset(local: str, zone: str) -> str:
    """The offset of a local time in the site's time zone, as ISO 8601 writes it."""
    text = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).isoformat()
    return text[-6:]


def _truth(value: str, env: CellEnvironment) -> bool:
    word = value.strip().casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise DomainError("this is neither yes nor no")


def _whole(value: str, env: CellEnvironment) -> int:
    text = value.strip()
    if re.fullmatch(r"[+-]?\d{1,18}", text) is None:
        raise DomainError("this is no whole number")
    return int(text)


def _decimal(value: str, env: CellEnvironment) -> str:
    text = value.strip()
    if re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", text) is None:
        raise DomainError("this is no number with a decimal point")
    return text


def _coding(text: str) -> dict[str, str]:
    system, bar, code = text.rpartition("|")
    found = {"system": system, "code": code} if bar else {"code": text}
    return {key: value for key, value in found.items() if value}


def read_concept(value: str, env: CellEnvironment) -> dict[str, Any] | None:
    """Concept of ``words [system|code system|code]``; without brackets, words alone."""
    found = _CONCEPT.fullmatch(value.strip())
    text, inner = (found[1], found[2].split()) if found else (value.strip(), [])
    concept: dict[str, Any] = {}
    codings = [each for each in (_coding(part) for part in inner) if each]
    if codings:
        concept["codings"] = codings
    if text:
        concept["text"] = text
    return concept or None


def write_concept(value: Mapping[str, Any], env: CellEnvironment) -> str | None:
    """``words [system|code]`` of a Concept.

    Raises:
        DomainError: a system or code with spaces or brackets.
    """
    parts, shown = [], ""
    for coding in value.get("codings", ()):
        system, code = coding.get("system", ""), coding.get("code", "")
        shown = shown or coding.get("display", "")
        if re.search(r"[\s\[\]]", system + code) or "|" in code:
            raise DomainError("a code with spaces or brackets has no place in a cell")
        if code:
            parts.append(f"{system}|{code}" if system else code)
    text = (value.get("text") or shown).strip()
    if not parts and not text.endswith("]"):
        return text or None
    return f"{text} [{' '.join(parts)}]".strip()


def read_number(value: str, env: CellEnvironment) -> dict[str, Any] | None:
    """Identifier of ``system|value (TYPE)``; system and type may be left away."""
    found = _NUMBERED.fullmatch(value.strip())
    if found is None:
        raise DomainError("a number is value, system|value or system|value (TYPE)")
    parts = {"system": found[1], "value": found[2], "type": found[3]}
    return {key: part.strip() for key, part in parts.items() if part and part.strip()} or None


def write_number(value: Mapping[str, Any], env: CellEnvironment) -> str | None:
    """``system|value (TYPE)`` of an Identifier.

    Raises:
        DomainError: the parts have characters that would be read in another way.
    """
    if not value.get("value"):
        return None
    text = f"{value['system']}|{value['value']}" if value.get("system") else value["value"]
    if value.get("type"):
        text += f" ({value['type']})"
    kept = {key: value[key] for key in ("system", "value", "type") if value.get(key)}
    if read_number(text, env) != kept:
        raise DomainError("this number has characters that a cell would not give back")
    return str(text)


def _make_code(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    """Codes of a table, in any case; people type words."""
    if len(arguments) != 1:
        raise ValueError("code takes the name of one code table")
    table = tables[arguments[0]]
    to_right = {word.casefold(): code for word, code in table.to_right.items()}
    why = f"the word is not in the table {arguments[0]}"

    def read(value: str, env: CellEnvironment) -> str:
        found = to_right.get(" ".join(value.split()).casefold())
        if found is None:
            raise DomainError(why)
        return found

    def write(value: str, env: CellEnvironment) -> str:
        found = table.to_left.get(value)
        if found is None:
            raise DomainError(why)
        return found

    return Codec(name="code", read=read, write=write, left=TEXT)


def _fixed(
    name: str,
    read: Callable[[Any, CellEnvironment], Any],
    write: Callable[[Any, CellEnvironment], Any] = _same,
    right: str = "string",
    loses: str = "",
) -> CodecMaker:
    codec = Codec(
        name=name, read=read, write=write, left=TEXT, right=frozenset({right}), loses=loses
    )
    return lambda arguments, tables: codec


_TEXT = Codec(
    name="text",
    read=_same,
    write=_same,
    left=TEXT,
    read_source="{v}",
    write_source="{v}",
    always=True,
)

CODECS: Mapping[str, CodecMaker] = {
    "text": lambda arguments, tables: _TEXT,
    "lines": _fixed("lines", _lines, _lines),
    "date": _fixed("date", _date),
    "dateTime": _fixed("dateTime", _date_time),
    "boolean": _fixed("boolean", _truth, lambda v, e: "yes" if v else "no", "boolean"),
    "integer": _fixed("integer", _whole, lambda v, e: str(v), "integer"),
    "decimal": _fixed("decimal", _decimal),
    "health-number": _fixed("health-number", _spaced),
    "concept": _fixed("concept", read_concept, write_concept, "Concept",
                      "how a code is displayed, where there are words"),
    "identifier": _fixed("identifier", read_number, write_number, "Identifier",
                         "assigner, version, use and period"),
    "code": _make_code,
}  # fmt: skip
