"""HL7 v2 identifiers and codes (CX, EI, HD, CWE) and the canonical ones, both ways.

Component numbers are those of the standard, chapter 2A.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from adapter.plugin.formats import Codec, CodecMaker, DomainError, Table
from adapter_hl7v2 import times
from adapter_hl7v2.environment import PLAIN, Er7Environment, parts_of


def _system(parts: Sequence[str]) -> str | None:
    """The URI of a universal id and its type (HD.2, HD.3)."""
    universal, kind = parts
    if not universal:
        return None
    prefix = {"ISO": "urn:oid:", "UUID": "urn:uuid:", "GUID": "urn:uuid:"}.get(kind or "", "")
    return prefix + universal


def _universal(system: str | None) -> tuple[str, str]:
    if not system:
        return "", ""
    for prefix, kind in (("urn:oid:", "ISO"), ("urn:uuid:", "UUID")):
        if system.startswith(prefix):
            return system[len(prefix) :], kind
    return system, "URI"


def _hierarchic(name: str, system: str | None, env: Er7Environment) -> str:
    """HD of a namespace and a URI in one component."""
    if not system:
        return env.encoding.quote(name) if name else ""
    quote = env.encoding.quote
    return "&".join([quote(part) for part in (name, *_universal(system))]).rstrip("&")


def _authority(raw: str, env: Er7Environment) -> tuple[str | None, str | None]:
    """Namespace and URI of an HD in one component."""
    subs = [env.unescape(sub) for sub in raw.split(env.ss)] + ["", "", ""]
    return subs[0] or None, _system(subs[1:3])


def make_identifier(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    """CX and Identifier. Tables: health-number jurisdictions to systems; identifier types."""
    jurisdictions = tables[arguments[0]] if arguments else None
    types = tables[arguments[1]] if len(arguments) > 1 else None

    def read(raw: str, env: Er7Environment) -> dict[str, Any] | None:
        split = raw.split(env.cs)
        parts = parts_of(raw, env)
        if not parts[1]:
            return None
        assigner, system = (
            _authority(split[3], env) if len(split) > 3 and split[3] else (None, None)
        )
        kind = parts[5]
        if types is not None and kind in types.to_right:
            kind = types.to_right[kind]
        if jurisdictions is not None and kind == "JHN" and system is None:
            place = parts[9] or assigner
            system = jurisdictions.to_right.get(place or "")
            if system is not None and place == assigner:
                assigner = None
        found: dict[str, Any] = {"value": parts[1]}
        if system:
            found["system"] = system
        if kind:
            found["type"] = kind
        if assigner:
            found["assigner"] = assigner
        if parts[2]:
            found["version"] = parts[2]
        if parts[7] or parts[8]:
            found["period"] = {
                key: times.iso_date(part, env.zone)
                for key, part in (("start", parts[7]), ("end", parts[8]))
                if part
            }
        return found

    def write(value: Mapping[str, Any], env: Er7Environment) -> str | None:
        get = value.get
        number = get("value")
        if not number:
            return None
        system = get("system")
        kind = get("type")
        place = ""
        if jurisdictions is not None and kind == "JHN" and str(system) in jurisdictions.to_left:
            place, system = jurisdictions.to_left[str(system)], None
        if types is not None and str(kind) in types.to_left:
            kind = types.to_left[str(kind)]
        start = end = ""
        if "period" in value:
            period = value["period"] or {}
            start = times.v2(period["start"]) if "start" in period else ""
            end = times.v2(period["end"]) if "end" in period else ""
        before = env.join((number, get("version") or ""))
        authority = _hierarchic(get("assigner") or "", system, env)
        after = env.join((kind or "", "", start, end, place))
        if not (authority or after):
            return before
        gap = "^" * (2 - before.count("^"))
        return f"{before}{gap}^{authority}^{after}" if after else f"{before}{gap}^{authority}"

    return Codec(
        name="identifier", read=read, write=write, left=frozenset({"CX"}),
        right=frozenset({"Identifier"}),
    )  # fmt: skip


def make_entity(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    """EI and Identifier of the type in the parentheses, which EI itself has no place for."""
    kind = arguments[0] if arguments else None

    def read(raw: str, env: Er7Environment) -> dict[str, Any] | None:
        parts = parts_of(raw, env)
        if not parts[1]:
            return None
        found = {"value": parts[1]}
        if kind:
            found["type"] = kind
        if parts[2]:
            found["assigner"] = parts[2]
        system = _system(parts[3:5])
        if system:
            found["system"] = system
        return found

    def write(value: Mapping[str, Any], env: Er7Environment) -> str | None:
        get = value.get
        if not get("value") or get("type") != kind:
            return None
        return env.join((value["value"], get("assigner") or "", *_universal(get("system")))) or None

    return Codec(
        name="entity", read=read, write=write, left=frozenset({"EI", "EIP", "ST", "CX"}),
        right=frozenset({"Identifier"}),
    )  # fmt: skip


_LOCAL = "https://social-prescribing-adapter.example/fhir/v2-coding-system/"


# Codings recur in every message, and are written once: up to this many characters in all.
_LONGEST_KEPT = 256

_CODED = frozenset({"CE", "CWE", "CNE", "IS", "ID", "CF"})


def make_coded(shape: str) -> CodecMaker:
    """CWE and Coding, Coding list or Concept; the table names coding systems (table 0396)."""

    def make(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
        systems = tables[arguments[0]] if arguments else None

        @lru_cache(maxsize=512)
        def system_of(name: str) -> str:
            found = systems.to_right.get(name) if systems is not None else None
            if found is not None:
                return found
            if re.fullmatch(r"HL7\d{4}", name):
                return f"http://terminology.hl7.org/CodeSystem/v2-{name[3:]}"
            return name if name.startswith(("http:", "https:", "urn:")) else _LOCAL + name

        @lru_cache(maxsize=512)
        def name_of(system: str | None) -> str:
            if not system:
                return ""
            found = systems.to_left.get(system) if systems is not None else None
            if found is not None:
                return found
            if re.fullmatch(r"http://terminology\.hl7\.org/CodeSystem/v2-\d{4}", system):
                return "HL7" + system[-4:]
            return system.removeprefix(_LOCAL)

        def coding(code: str | None, display: str | None, name: str | None) -> dict[str, Any]:
            found: dict[str, Any] = {}
            if not code and not name:
                return found
            if name:
                found["system"] = system_of(name)
            if code:
                found["code"] = code
            if display:
                found["display"] = display
            return found

        def parts_of_coding(value: Mapping[str, Any]) -> tuple[str, str, str]:
            get = value.get
            return get("code") or "", get("display") or "", name_of(get("system"))

        def read_coding(raw: str, env: Er7Environment) -> dict[str, Any] | None:
            parts = parts_of(raw, env)
            return coding(parts[1], parts[2], parts[3]) or None

        @lru_cache(maxsize=2048)
        def recurring(code: str, display: str, system: str) -> str:
            return PLAIN.join((code, display, name_of(system)))

        def write_coding(value: Mapping[str, Any], env: Er7Environment) -> str | None:
            get = value.get
            code, display, system = get("code") or "", get("display") or "", get("system") or ""
            if env.encoding is PLAIN and len(code) + len(display) + len(system) <= _LONGEST_KEPT:
                return recurring(code, display, system) or None
            return env.join((code, display, name_of(system))) or None

        def read_concept(raw: str, env: Er7Environment) -> dict[str, Any] | None:
            parts = parts_of(raw, env)
            concept: dict[str, Any] = {}
            codings = [coding(*parts[1:4])] if parts[1] or parts[3] else []
            if parts[4] or parts[6]:
                codings.append(coding(*parts[4:7]))
            if codings:
                concept["codings"] = codings
            words = parts[9] or ("" if codings else parts[2])
            if words:
                concept["text"] = words
            return concept or None

        def write_concept(value: Mapping[str, Any], env: Er7Environment) -> str | None:
            codings = value.get("codings") or ()
            if len(codings) > 2:
                raise DomainError("HL7 v2 has room for two codes of one meaning")
            words = value.get("text") or ""
            if not codings:
                return env.join(("", words)) or None
            if len(codings) == 1 and not words:
                return write_coding(codings[0], env)
            first = parts_of_coding(codings[0])
            second = parts_of_coding(codings[1]) if len(codings) > 1 else ("", "", "")
            return env.join((*first, *second, "", "", words)) or None

        def read_codings(raw: str, env: Er7Environment) -> list[dict[str, Any]] | None:
            parts = parts_of(raw, env)
            found = [coding(*parts[n : n + 3]) for n in (1, 4)]
            return [each for each in found if each] or None

        def write_codings(value: Sequence[Mapping[str, Any]], env: Er7Environment) -> str | None:
            if len(value) == 1:
                return write_coding(value[0], env)
            return write_concept({"codings": value}, env)

        if shape == "codings":
            return Codec(
                name="codings",
                many=True, read=read_codings, write=write_codings, left=_CODED,
                right=frozenset({"Coding"}),
            )  # fmt: skip
        if shape == "coding":
            return Codec(
                name="coding", read=read_coding, write=write_coding, left=_CODED,
                right=frozenset({"Coding"}),
            )  # fmt: skip
        return Codec(
            name="concept", read=read_concept, write=write_concept, left=_CODED,
            right=frozenset({"Concept"}),
        )  # fmt: skip

    return make
