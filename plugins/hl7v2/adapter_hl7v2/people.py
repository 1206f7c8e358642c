"""HL7 v2 names, addresses and telephones (XPN, XCN, XAD, XTN) and the canonical ones, both ways.

Component numbers are those of the standard, chapter 2A.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapter.plugin.formats import Codec, DomainError, Table
from adapter_hl7v2.environment import Er7Environment, parts_of

_NAME_USE = {"L": "official", "D": "usual", "M": "maiden", "N": "nickname", "S": "anonymous"}


_NAME_TYPE = {use: code for code, use in _NAME_USE.items()}


def _name_from(parts: list[str], first: int) -> dict[str, Any]:
    name: dict[str, Any] = {}
    family, given, middle, suffix, prefix = parts[first : first + 5]
    if family:
        name["family"] = family
    if given or middle:
        name["given"] = [each for each in (given, middle) if each]
    if suffix:
        name["suffix"] = [suffix]
    if prefix:
        name["prefix"] = [prefix]
    return name


def _name_parts(value: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Family name, two given names, suffix and prefix."""
    get = value.get
    given, suffix, prefix = get("given"), get("suffix"), get("prefix")
    first = second = after = before = ""
    if given:
        first, *rest = given
        if rest:
            second = rest[0]
    if suffix:
        after = suffix[0]
    if prefix:
        before = prefix[0]
    if len(given or ()) > 2 or len(suffix or ()) > 1 or len(prefix or ()) > 1:
        raise DomainError("HL7 v2 has room for two given names, one suffix and one prefix")
    return get("family") or ("" if given else get("text") or ""), first, second, after, before


def read_name(raw: str, env: Er7Environment) -> dict[str, Any] | None:
    """HumanName of an XPN."""
    parts = parts_of(raw, env)
    name = _name_from(parts, 1)
    if not name:
        return None
    use = _NAME_USE.get(parts[7] or "")
    if use:
        name["use"] = use
    return name


def write_name(value: Mapping[str, Any], env: Er7Environment) -> str | None:
    """XPN of a HumanName."""
    family, first, second, suffix, prefix = parts = _name_parts(value)
    if not (family or first or second or suffix or prefix):
        return None
    return env.join((*parts, "", _NAME_TYPE.get(value.get("use") or "", "")))


def read_person(raw: str, env: Er7Environment) -> dict[str, Any] | None:
    """HumanName of an XCN (its number is another row's)."""
    return _name_from(parts_of(raw, env), 2) or None


def write_person(value: Mapping[str, Any], env: Er7Environment) -> str | None:
    """XCN of a HumanName."""
    return env.join(("", *_name_parts(value))) or None


_ADDRESS_USE = {"H": "home", "B": "work", "O": "work", "C": "temp", "BA": "old"}


_ADDRESS_TYPE = {"home": "H", "work": "B", "temp": "C", "old": "BA"}


def read_address(raw: str, env: Er7Environment) -> dict[str, Any] | None:
    """Address of an XAD."""
    parts = parts_of(raw, env)
    address: dict[str, Any] = {}
    _, first, second, city, state, code, country, kind, _, district, *_ = parts
    if second:
        address["lines"] = [first, second] if first else [second]
    elif first:
        address["lines"] = [first]
    if city:
        address["city"] = city
    if state:
        address["state"] = state
    if code:
        address["postal_code"] = code
    if country:
        address["country"] = country
    if district:
        address["district"] = district
    if not address:
        return None
    if kind in _ADDRESS_USE:
        address["use"] = _ADDRESS_USE[kind]
    elif kind == "M":
        address["type"] = "postal"
    return address


def write_address(value: Mapping[str, Any], env: Er7Environment) -> str | None:
    """XAD of an Address; lines after the second join it."""
    get = value.get
    given: Sequence[str] = get("lines") or ()
    if len(given) > 2:
        raise DomainError("HL7 v2 has room for two address lines")
    kind = _ADDRESS_TYPE.get(get("use") or "", "")
    if not kind and get("type") == "postal":
        kind = "M"
    parts = (
        given[0] if given else "",
        given[1] if len(given) > 1 else "",
        get("city") or "",
        get("state") or "",
        get("postal_code") or "",
        get("country") or "",
        kind,
        "",
        get("district") or "",
    )
    return env.join(parts) or None


_PHONE_USE = {"PRN": "home", "WPN": "work", "VHN": "temp", "PRS": "mobile"}


_PHONE_CODE = {use: code for code, use in _PHONE_USE.items()}


_PHONE_SYSTEM = {"PH": "phone", "FX": "fax", "CP": "phone", "BP": "pager", "SAT": "phone"}


_EQUIPMENT = {"phone": "PH", "fax": "FX", "pager": "BP", "email": "Internet", "url": "X.400"}


_NO_DIGIT = re.compile(r"\D")


_NORTH_AMERICA = re.compile(r"\+1-(\d{3})-(\d{3})-(\d{4})")


def make_phone(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    """XTN and Telecom; the parentheses name the use of numbers that state none."""
    implied = arguments[0] if arguments else None

    def read(raw: str, env: Er7Environment) -> dict[str, Any] | None:
        parts = parts_of(raw, env)
        use = _PHONE_USE.get(parts[2] or "")
        if parts[3] == "CP":
            use = "mobile"
        kind = parts[3] or ""
        if kind in ("Internet", "X.400") or (parts[4] and not (parts[1] or parts[6] or parts[7])):
            value = parts[4] or parts[1] or parts[12]
            system = "url" if kind == "X.400" else "email"
        else:
            value = parts[12] or parts[1] or ""
            if not value:
                value = _number(parts) or ""
            elif parts[8] and parts[8] not in value:  # the whole number, and beside it where to
                value = f"{value} x{parts[8]}"
            system = _PHONE_SYSTEM.get(kind, "phone")
        if not value:
            return None
        use = use or implied
        if use:
            return {"system": system, "value": value, "use": use}
        return {"system": system, "value": value}

    def write(value: Mapping[str, Any], env: Er7Environment) -> str | None:
        get = value.get
        number = get("value")
        if not number:
            return None
        system = get("system") or "phone"
        use = get("use") or ""
        code = _PHONE_CODE.get(use) or ("NET" if system == "email" else "")
        equipment = _EQUIPMENT.get(system, "PH")
        if use == "mobile" and system == "phone":
            code, equipment = "PRN", "CP"
        if system in ("email", "url"):
            return env.join(("", code, equipment, number)) or None
        found = _NORTH_AMERICA.fullmatch(number)
        if found:  # digits and dashes: nothing to escape
            return f"{number}^{code}^{equipment}^^1^{found[1]}^{found[2]}{found[3]}"
        return env.join((number, code, equipment)) or None

    return Codec(
        name="phone", read=read, write=write, left=frozenset({"XTN", "TN"}),
        right=frozenset({"Telecom"}),
    )  # fmt: skip


def _number(parts: Sequence[str]) -> str | None:
    """A telephone number out of XTN.5 to XTN.8: country, area, local number, extension."""
    country, area, local, extension = parts[5], parts[6], parts[7], parts[8]
    if not local:
        return None
    digits = local.replace("-", "")
    if not digits.isdecimal():
        digits = _NO_DIGIT.sub("", local)
    if area and len(digits) == 7 and (country or "1") == "1":
        number = f"+1-{area}-{digits[:3]}-{digits[3:]}"
    else:
        number = " ".join(
            part for part in (f"+{country}" if country else "", area or "", local) if part
        )
    return f"{number} x{extension}" if extension else number
