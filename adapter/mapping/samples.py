"""Synthetic canonical documents of a domain, from any source of choices.

The source is `random.Random` for the command line, and hypothesis's own random for property tests,
which shrinks what it finds.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from adapter.mapping.domain import MapDomain, Spec, split_name

_LETTERS = "abcdefgXYZ0189"
# Delimiters, escapes and quotes of every format, accents, wide characters and an emoji.
_HARD = (
    "|",
    "^",
    "~",
    "\\",
    "&",
    "#",
    '"',
    "'",
    "é",
    "Ç",
    "œ",
    "–",
    "漢",
    "🙂",
    "<b>",
    "\\.br\\",
    '""',
    "  ",
)
_SYSTEMS = (
    "http://snomed.info/sct",
    "http://loinc.org",
    "http://hl7.org/fhir/sid/icd-10",
    "http://terminology.hl7.org/CodeSystem/v2-0063",
    "urn:oid:2.16.840.1.113883.4.999",
)
_HEALTH = "https://fhir.infoway-inforoute.ca/NamingSystem/ca-on-patient-hcn"


def document(domain: MapDomain, random: Random) -> dict[str, Any]:
    """One document of a map's domain."""
    made: dict[str, Any] = {}
    while not made:
        made = _object(domain.carries, random, 0.75) or {}
    if domain.kinds:
        made["kind"] = random.choice(domain.kinds)
    return made


def _object(spec: Mapping[str, Spec], random: Random, likely: float) -> dict[str, Any] | None:
    made: dict[str, Any] = {}
    for name, inner in spec.items():
        always = name.endswith("!")
        if not always and random.random() > likely:
            continue
        key, many, index = split_name(name)
        if many:
            count = random.choice((1, 1, 2, 3)) if always else random.choice((0, 1, 1, 2))
            part: Any = [each for _ in range(count) if (each := value(inner, random)) is not None]
            part = made.get(key, []) + part
        elif index is not None:
            one = value(inner, random)
            part = made.get(key, []) + ([one] if one is not None else [])
        else:
            part = value(inner, random)
        if part not in (None, [], {}):
            made[key] = part
    return made or None


def value(spec: Spec, random: Random) -> Any:
    """One value of a spec."""
    if isinstance(spec, Mapping):
        return _object(spec, random, 0.6)
    if isinstance(spec, list):
        return random.choice(spec)
    return _MAKERS[spec](random)


def _text(random: Random) -> str:
    parts = [
        random.choice(_HARD) if random.random() < 0.2 else random.choice(_LETTERS)
        for _ in range(random.randint(1, 12))
    ]
    return "a" + "".join(parts) + "z"


def _token(random: Random) -> str:
    return "T" + "".join(random.choice("ABCDE12345") for _ in range(random.randint(2, 8)))


def _lines(random: Random) -> str:
    return "\n".join(_text(random) for _ in range(random.randint(1, 3)))


def _date(random: Random) -> str:
    day = f"{random.randint(1930, 2026)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
    return random.choice((day, day, day, day[:7], day[:4]))


def _full_date(random: Random) -> str:
    return f"{random.randint(2020, 2026)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"


def _clock(random: Random) -> str:
    clock = f"{random.randint(0, 23):02}:{random.randint(0, 59):02}:{random.randint(0, 59):02}"
    return clock + random.choice(("", "", ".5", ".125"))


def _instant(random: Random) -> str:
    zone = random.choice(("Z", "-05:00", "-04:00", "+09:30"))
    return f"{_full_date(random)}T{_clock(random)}{zone}"


def _date_time(random: Random) -> str:
    return _date(random) if random.random() < 0.4 else _instant(random)


def _decimal(random: Random) -> str:
    return random.choice(("0", "1", "12", "1.10", "0.050", "-3.5", "100.0", "72"))


def _coding(random: Random) -> dict[str, Any]:
    made = {"system": random.choice(_SYSTEMS), "code": _token(random)}
    if random.random() < 0.7:
        made["display"] = _text(random)
    return made


def _codings(random: Random) -> list[dict[str, Any]]:
    return [_coding(random) for _ in range(random.choice((1, 1, 2)))]


def _concept(random: Random) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if random.random() < 0.85:
        made["codings"] = _codings(random)
    if not made or random.random() < 0.3:
        made["text"] = _text(random)
    return made


def _name(random: Random) -> dict[str, Any]:
    made: dict[str, Any] = {"family": _text(random)}
    if random.random() < 0.9:
        made["given"] = [_text(random) for _ in range(random.choice((1, 1, 2)))]
    if random.random() < 0.3:
        made["prefix"] = ["Dr"]
    if random.random() < 0.2:
        made["suffix"] = ["III"]
    return made


def _used_name(random: Random) -> dict[str, Any]:
    made = _name(random)
    if random.random() < 0.6:
        made["use"] = random.choice(("official", "usual", "maiden", "nickname", "anonymous"))
    return made


def _address(random: Random) -> dict[str, Any]:
    made: dict[str, Any] = {"lines": [_text(random) for _ in range(random.choice((1, 1, 2)))]}
    for key in ("city", "state", "postal_code", "country", "district"):
        if random.random() < 0.6:
            made[key] = _text(random)
    if random.random() < 0.6:
        made["use"] = random.choice(("home", "work", "temp", "old"))
    elif random.random() < 0.3:
        made["type"] = "postal"
    return made


def _phone(random: Random, *, used: bool = False) -> dict[str, Any]:
    kind = random.choice(("phone", "phone", "email", "fax"))
    number = f"+1-{random.randint(200, 999)}-555-{random.randint(0, 9999):04}"
    if kind == "email":
        number = f"{_token(random).lower()}@clinic.example"
    elif random.random() < 0.2:
        number = "555 0199 x12"
    made = {"system": kind, "value": number}
    if used or random.random() < 0.6:
        uses = ("home", "work", "temp", "mobile") if kind == "phone" else ("home", "work")
        made["use"] = random.choice(uses)
    return made


def _identifier(random: Random) -> dict[str, Any]:
    if random.random() < 0.3:
        made = {"system": _HEALTH, "value": "9999999999", "type": "JHN"}
        if random.random() < 0.5:
            made["version"] = "AB"
        return made
    made = {"value": _token(random), "type": random.choice(("MR", "PI", "XX"))}
    if random.random() < 0.5:
        made["assigner"] = _token(random)
    if random.random() < 0.5:
        made["system"] = random.choice(
            ("urn:oid:1.2.3", "https://clinic.example/ids", _uuid(random))
        )
    return made


def _uuid(random: Random) -> str:
    text = f"{random.getrandbits(128):032x}"
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _entity(kind: str) -> Callable[[Random], dict[str, Any]]:
    def make(random: Random) -> dict[str, Any]:
        made = {"value": _token(random), "type": kind}
        if random.random() < 0.7:
            made["assigner"] = _token(random)
        if random.random() < 0.3:
            made["system"] = "https://clinic.example/orders"
        return made

    return make


def _observed(random: Random) -> dict[str, Any]:
    return random.choice(
        (
            {"string": _lines(random)},
            {"quantity": {"value": _decimal(random), "unit": _token(random)}},
            {"quantity": {"value": _decimal(random)}},
            {"concept": {"codings": _codings(random)}},
            {"date_time": _instant(random)},
            {"time": f"{random.randint(0, 23):02}:{random.randint(0, 59):02}:00"},
        )
    )


def _observed_in_fhir(random: Random) -> dict[str, Any]:
    others = ({"integer": random.randint(0, 99)}, {"boolean": random.random() < 0.5})
    return random.choice((_observed(random), *others))


def _observed_in_v2(random: Random) -> dict[str, Any]:
    # R4 has no Observation.valueDate; OBX-2 has DT.
    return random.choice((_observed(random), {"date": _full_date(random)}))


def _attachment(random: Random) -> dict[str, Any]:
    data = base64.b64encode(_text(random).encode()).decode()
    return {"content_type": random.choice(("application/pdf", "text/plain")), "data": data}


def _period(random: Random) -> dict[str, Any]:
    return {
        "start": f"20{random.randint(10, 24)}-01-31",
        "end": f"20{random.randint(25, 30)}-12-01",
    }


def _item(random: Random, depth: int = 0) -> dict[str, Any]:
    made: dict[str, Any] = {"link_id": _token(random)}
    if random.random() < 0.4:
        made["text"] = _text(random)
    if depth < 2 and random.random() < 0.3:
        made["items"] = [_item(random, depth + 1) for _ in range(random.choice((1, 2)))]
    else:
        made["answers"] = [_answer(random) for _ in range(random.choice((1, 1, 2)))]
    return made


def _answer(random: Random) -> dict[str, Any]:
    return random.choice(
        (
            {"string": _text(random)},
            {"boolean": random.random() < 0.5},
            {"integer": random.randint(-5, 400)},
            {"decimal": _decimal(random)},
            {"date_time": _instant(random)},
            {"coding": _coding(random)},
            {"quantity": {"value": _decimal(random), "unit": _token(random)}},
        )
    )


_MAKERS: Mapping[str, Callable[[Random], Any]] = {
    "text": _text,
    "token": _token,
    "lines": _lines,
    "id": lambda random: _uuid(random).removeprefix("urn:uuid:"),
    "date": _date,
    "full-date": _full_date,
    "dateTime": _date_time,
    "instant": _instant,
    "url": lambda random: f"https://questionnaires.example/{_token(random)}",
    "boolean": lambda random: random.random() < 0.5,
    "true": lambda random: True,
    "integer": lambda random: random.randint(0, 500),
    "decimal": _decimal,
    "coding": _coding,
    "codings": _codings,
    "concept": _concept,
    "name": _used_name,
    "person": _name,
    "address": _address,
    "phone": _phone,
    "used-phone": lambda random: _phone(random, used=True),
    "work-phone": lambda random: {**_phone(random), "use": "work"},
    "work-address": lambda random: {"lines": [_text(random)], "city": _text(random), "use": "work"},
    "identifier": _identifier,
    "placer": _entity("PLAC"),
    "filler": _entity("FILL"),
    "observed": _observed,
    "observed-in-fhir": _observed_in_fhir,
    "observed-in-v2": _observed_in_v2,
    "attachment": _attachment,
    "period": _period,
    "item": _item,
}

VALUE_KINDS = frozenset(_MAKERS)
"""The kinds of values that a domain may name."""
KINDS = tuple(_MAKERS)
