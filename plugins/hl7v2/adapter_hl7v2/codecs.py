"""HL7 v2 data types and the canonical model: each codec reads one raw repetition or part.

The component numbers are those of the standard, chapter 2A: XPN, XAD, XTN, CX, EI, CWE, ED.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from adapter.plugin.formats import Codec, CodecMaker, DomainError, Settings, Table
from adapter_hl7v2 import times
from adapter_hl7v2.encoding import NULL, Encoding
from adapter_hl7v2.message import Message

_PLAIN = Encoding()


class Er7Environment:
    """What codecs need to know of one message: delimiters, charset, time zone."""

    __slots__ = (
        "cs", "encoding", "es", "placed", "reported", "rs", "ss", "unescape", "usual", "zone",
    )  # fmt: skip

    def __init__(self, encoding: Encoding, settings: Settings) -> None:
        self.encoding = encoding
        self.cs = encoding.component
        self.rs = encoding.repetition
        self.es = encoding.escape
        self.usual = encoding.component == "^" and encoding.subcomponent == "&"
        self.ss = encoding.subcomponent
        self.unescape = encoding.unescape
        self.zone = settings.timezone
        self.reported: list[tuple[Any, ...]] = []
        self.placed: list[tuple[dict[int, str], str]] = []

    def report(self, number: int, error: DomainError, where: Any = None) -> None:
        """Keep what a row with ``else: report`` left out."""
        self.reported.append((number, error.why, where))


def reading(tree: Message, settings: Settings) -> Er7Environment:
    """The environment for reading one message."""
    return Er7Environment(tree.encoding, settings)


def writing(settings: Settings) -> Er7Environment:
    """The environment for writing one message."""
    return Er7Environment(_PLAIN, settings)


def text(raw: str, env: Er7Environment) -> str | None:
    """The text of a part: its first component and subcomponent, escapes decoded."""
    if env.cs in raw:
        raw = raw.partition(env.cs)[0]
    if env.ss in raw:
        raw = raw.partition(env.ss)[0]
    if not raw or raw == NULL:
        return None
    return env.unescape(raw)


def quoted(value: str, env: Er7Environment) -> str:
    """The raw form of a text."""
    return env.encoding.quote(value)


def lines(raw: str, env: Er7Environment) -> str | None:
    """A whole repetition as text; delimiters in it are the sender's own characters."""
    return env.unescape(raw) or None if raw != NULL else None


def unlines(value: str, env: Er7Environment) -> str:
    """Text with its line ends as escapes."""
    return env.encoding.quote(value.replace("\r\n", "\n").replace("\r", "\n"))


_SPECIAL = re.compile(r'[\\^&"]').search


def plain(raw: str, env: Er7Environment) -> str | None:
    """`text`, quickly, for a value in the usual delimiters that needs no work."""
    return raw if env.usual and not _SPECIAL(raw) else text(raw, env)


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
        value = text(raw, env)
        return None if value is None else read(value, env)

    codec = Codec(
        name=name, read=reads, write=write, left=left, right=frozenset({right}),
        loses=loses,
        lossless=lossless,
    )  # fmt: skip
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
        return env.encoding.quote(found)

    return Codec(name="code", read=read, write=write, left=_TEXTUAL | {"CE", "CWE"})


# -- names, addresses, telephones -----------------------------------------------------------------

_NAME_USE = {"L": "official", "D": "usual", "M": "maiden", "N": "nickname", "S": "anonymous"}
_NAME_TYPE = {use: code for code, use in _NAME_USE.items()}


_PAD = [""] * 24
_ADDRESS_PARTS = ((3, "city"), (4, "state"), (5, "postal_code"), (6, "country"), (9, "district"))


def _parts(raw: str, env: Er7Environment) -> list[str]:
    """The texts of the components of one repetition, from number 1 on; absent ones are empty."""
    parts = ["", *raw.split(env.cs), *_PAD]
    if env.es in raw or env.ss in raw or NULL in raw:
        return [text(part, env) or "" if part else "" for part in parts]
    return parts


def _joined(parts: Mapping[int, str | None], env: Er7Environment) -> str | None:
    quote = env.encoding.quote
    filled = {number: quote(value) for number, value in parts.items() if value}
    if not filled:
        return None
    return "^".join([filled.get(number, "") for number in range(1, max(filled) + 1)])


def _put(target: dict[str, Any], **values: Any) -> dict[str, Any]:
    for key, value in values.items():
        if value:
            target[key] = value
    return target


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


def _name_parts(value: Mapping[str, Any], first: int) -> dict[int, str | None]:
    given = value.get("given") or ()
    if len(given) > 2 or len(value.get("suffix") or ()) > 1 or len(value.get("prefix") or ()) > 1:
        raise DomainError("HL7 v2 has room for two given names, one suffix and one prefix")
    return {
        first: value.get("family") or (None if given else value.get("text")),
        first + 1: given[0] if given else None,
        first + 2: given[1] if len(given) > 1 else None,
        first + 3: (value.get("suffix") or (None,))[0],
        first + 4: (value.get("prefix") or (None,))[0],
    }


def read_name(raw: str, env: Er7Environment) -> dict[str, Any] | None:
    """HumanName of an XPN."""
    parts = _parts(raw, env)
    name = _name_from(parts, 1)
    if not name:
        return None
    use = _NAME_USE.get(parts[7] or "")
    if use:
        name["use"] = use
    return name


def write_name(value: Mapping[str, Any], env: Er7Environment) -> str | None:
    """XPN of a HumanName."""
    parts = _name_parts(value, 1)
    if not any(parts.values()):
        return None
    parts[7] = _NAME_TYPE.get(value.get("use") or "")
    return _joined(parts, env)


def read_person(raw: str, env: Er7Environment) -> dict[str, Any] | None:
    """HumanName of an XCN (its number is another row's)."""
    return _name_from(_parts(raw, env), 2) or None


def write_person(value: Mapping[str, Any], env: Er7Environment) -> str | None:
    """XCN of a HumanName."""
    return _joined(_name_parts(value, 2), env)


_ADDRESS_USE = {"H": "home", "B": "work", "O": "work", "C": "temp", "BA": "old"}
_ADDRESS_TYPE = {"home": "H", "work": "B", "temp": "C", "old": "BA"}


def read_address(raw: str, env: Er7Environment) -> dict[str, Any] | None:
    """Address of an XAD."""
    parts = _parts(raw, env)
    address: dict[str, Any] = {}
    if parts[1] or parts[2]:
        address["lines"] = [each for each in parts[1:3] if each]
    for number, key in _ADDRESS_PARTS:
        if parts[number]:
            address[key] = parts[number]
    if not address:
        return None
    kind = parts[7]
    if kind in _ADDRESS_USE:
        address["use"] = _ADDRESS_USE[kind]
    elif kind == "M":
        address["type"] = "postal"
    return address


def write_address(value: Mapping[str, Any], env: Er7Environment) -> str | None:
    """XAD of an Address; lines after the second join it."""
    given = value.get("lines") or ()
    if len(given) > 2:
        raise DomainError("HL7 v2 has room for two address lines")
    kind = _ADDRESS_TYPE.get(value.get("use") or "")
    if kind is None and value.get("type") == "postal":
        kind = "M"
    return _joined(
        {
            1: given[0] if given else None,
            2: given[1] if len(given) > 1 else None,
            3: value.get("city"),
            4: value.get("state"),
            5: value.get("postal_code"),
            6: value.get("country"),
            7: kind,
            9: value.get("district"),
        },
        env,
    )


_PHONE_USE = {"PRN": "home", "WPN": "work", "VHN": "temp", "PRS": "mobile"}
_PHONE_CODE = {use: code for code, use in _PHONE_USE.items()}
_PHONE_SYSTEM = {"PH": "phone", "FX": "fax", "CP": "phone", "BP": "pager", "SAT": "phone"}
_EQUIPMENT = {"phone": "PH", "fax": "FX", "pager": "BP", "email": "Internet", "url": "X.400"}
_NORTH_AMERICA = re.compile(r"\+1-(\d{3})-(\d{3})-(\d{4})")


def _make_phone(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    implied = arguments[0] if arguments else None

    def read(raw: str, env: Er7Environment) -> dict[str, Any] | None:
        parts = _parts(raw, env)
        use = _PHONE_USE.get(parts[2] or "")
        if parts[3] == "CP":
            use = "mobile"
        kind = parts[3] or ""
        if kind in ("Internet", "X.400") or (parts[4] and not (parts[1] or parts[6] or parts[7])):
            value = parts[4] or parts[1] or parts[12]
            system = "url" if kind == "X.400" else "email"
        else:
            value = parts[12] or parts[1] or _number(parts)
            system = _PHONE_SYSTEM.get(kind, "phone")
        if not value:
            return None
        use = use or implied
        if use:
            return {"system": system, "value": value, "use": use}
        return {"system": system, "value": value}

    def write(value: Mapping[str, Any], env: Er7Environment) -> str | None:
        number = value.get("value")
        system = value.get("system") or "phone"
        if not number:
            return None
        use = value.get("use") or ""
        parts: dict[int, str | None] = {
            2: _PHONE_CODE.get(use) or ("NET" if system == "email" else None),
            3: "CP" if use == "mobile" and system == "phone" else _EQUIPMENT.get(system, "PH"),
        }
        if use == "mobile" and system == "phone":
            parts[2] = "PRN"
        if system in ("email", "url"):
            parts[4] = number
        else:
            parts[1] = number
            found = _NORTH_AMERICA.fullmatch(number)
            if found:
                parts[5], parts[6], parts[7] = "1", found[1], found[2] + found[3]
        return _joined(parts, env)

    return Codec(
        name="phone", read=read, write=write, left=frozenset({"XTN", "TN"}),
        right=frozenset({"Telecom"}),
    )  # fmt: skip


def _number(parts: list[str | None]) -> str | None:
    """A telephone number out of XTN.5 to XTN.8: country, area, local number, extension."""
    country, area, local, extension = parts[5], parts[6], parts[7], parts[8]
    if not local:
        return None
    digits = re.sub(r"\D", "", local)
    if area and len(digits) == 7 and (country or "1") == "1":
        number = f"+1-{area}-{digits[:3]}-{digits[3:]}"
    else:
        number = " ".join(
            part for part in (f"+{country}" if country else "", area or "", local) if part
        )
    return f"{number} x{extension}" if extension else number


# -- identifiers and codes ------------------------------------------------------------------------


def _system(parts: Sequence[str | None]) -> str | None:
    """The URI of a universal id and its type (HD.2, HD.3)."""
    universal, kind = parts
    if not universal:
        return None
    prefix = {"ISO": "urn:oid:", "UUID": "urn:uuid:", "GUID": "urn:uuid:"}.get(kind or "", "")
    return prefix + universal


def _universal(system: str | None) -> tuple[str | None, str | None]:
    if not system:
        return None, None
    for prefix, kind in (("urn:oid:", "ISO"), ("urn:uuid:", "UUID")):
        if system.startswith(prefix):
            return system[len(prefix) :], kind
    return system, "URI"


def _authority(raw: str, env: Er7Environment) -> tuple[str | None, str | None]:
    """Namespace and URI of an HD in one component."""
    subs = [env.unescape(sub) for sub in raw.split(env.ss)] + ["", "", ""]
    return subs[0] or None, _system((subs[1] or None, subs[2] or None))


def _make_identifier(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    jurisdictions = tables[arguments[0]] if arguments else None
    types = tables[arguments[1]] if len(arguments) > 1 else None

    def read(raw: str, env: Er7Environment) -> dict[str, Any] | None:
        split = raw.split(env.cs)
        parts = _parts(raw, env)
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
            found["period"] = _put(
                {},
                start=times.iso_date(parts[7], env.zone) if parts[7] else None,
                end=times.iso_date(parts[8], env.zone) if parts[8] else None,
            )
        return found

    def write(value: Mapping[str, Any], env: Er7Environment) -> str | None:
        if not value.get("value"):
            return None
        quote = env.encoding.quote
        system = value.get("system")
        kind = value.get("type")
        place = None
        if jurisdictions is not None and kind == "JHN" and system in jurisdictions.to_left:
            place, system = jurisdictions.to_left[system], None
        if types is not None and kind in types.to_left:
            kind = types.to_left[kind]
        universal, universal_type = _universal(system)
        authority = (value.get("assigner"), universal, universal_type)
        period = value.get("period") or {}
        parts = {
            1: value["value"],
            2: value.get("version"),
            5: kind,
            7: times.v2(period["start"]) if "start" in period else None,
            8: times.v2(period["end"]) if "end" in period else None,
            9: place,
        }
        filled = {number: quote(part) for number, part in parts.items() if part}
        if any(authority):
            filled[4] = "&".join(quote(part or "") for part in authority).rstrip("&")
        return "^".join([filled.get(number, "") for number in range(1, max(filled) + 1)])

    return Codec(
        name="identifier", read=read, write=write, left=frozenset({"CX"}),
        right=frozenset({"Identifier"}),
    )  # fmt: skip


def _make_entity(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    kind = arguments[0] if arguments else None

    def read(raw: str, env: Er7Environment) -> dict[str, Any] | None:
        parts = _parts(raw, env)
        if not parts[1]:
            return None
        return _put({}, system=_system(parts[3:5]), value=parts[1], type=kind, assigner=parts[2])

    def write(value: Mapping[str, Any], env: Er7Environment) -> str | None:
        if not value.get("value") or value.get("type") != kind:
            return None
        universal, universal_type = _universal(value.get("system"))
        return _joined(
            {1: value["value"], 2: value.get("assigner"), 3: universal, 4: universal_type}, env
        )

    return Codec(
        name="entity", read=read, write=write, left=frozenset({"EI", "EIP", "ST", "CX"}),
        right=frozenset({"Identifier"}),
    )  # fmt: skip


_LOCAL = "https://social-prescribing-adapter.example/fhir/v2-coding-system/"


def _make_coded(shape: str) -> CodecMaker:
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

        def name_of(system: str | None) -> str | None:
            if not system:
                return None
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

        def read_coding(raw: str, env: Er7Environment) -> dict[str, Any] | None:
            parts = _parts(raw, env)
            return coding(parts[1], parts[2], parts[3]) or None

        def write_coding(value: Mapping[str, Any], env: Er7Environment) -> str | None:
            return _joined(
                {1: value.get("code"), 2: value.get("display"), 3: name_of(value.get("system"))},
                env,
            )

        def read_concept(raw: str, env: Er7Environment) -> dict[str, Any] | None:
            parts = _parts(raw, env)
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
            parts: dict[int, str | None] = {}
            for start, each in zip((1, 4), codings, strict=False):
                parts[start] = each.get("code")
                parts[start + 1] = each.get("display")
                parts[start + 2] = name_of(each.get("system"))
            words = value.get("text")
            parts[9 if codings else 2] = words
            return _joined(parts, env)

        def read_codings(raw: str, env: Er7Environment) -> list[dict[str, Any]] | None:
            parts = _parts(raw, env)
            found = [coding(*parts[n : n + 3]) for n in (1, 4)]
            return [each for each in found if each] or None

        def write_codings(value: Sequence[Mapping[str, Any]], env: Er7Environment) -> str | None:
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


_CODED = frozenset({"CE", "CWE", "CNE", "IS", "ID", "CF"})


# -- documents and quantities ---------------------------------------------------------------------


def read_attachment(raw: str, env: Er7Environment) -> dict[str, Any] | None:
    """Attachment of an ED with base64 data."""
    parts = _parts(raw, env)
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
    return _joined({2: kind, 3: sub, 4: "Base64", 5: value["data"]}, env)


def read_quantity(raw: str, env: Er7Environment) -> dict[str, Any] | None:
    """Quantity of a CQ or NM."""
    parts = _parts(raw, env)
    if not parts[1]:
        return None
    return _put({"value": _decimal(parts[1], env)}, unit=parts[2])


def write_quantity(value: Mapping[str, Any], env: Er7Environment) -> str | None:
    """CQ of a Quantity."""
    return _joined({1: value.get("value"), 2: value.get("unit")}, env)


def _health_number(value: str, env: Er7Environment) -> str:
    return re.sub(r"[\s-]", "", value).upper()


def _fixed(codec: Codec) -> CodecMaker:
    return lambda arguments, tables: codec


_TIMES = frozenset({"TS", "DTM", "DT", "TQ", "DR", "ST"})


def _when(reader: Callable[[str, str], str]) -> Callable[[str, Er7Environment], str]:
    return lambda value, env: reader(value, env.zone)


CODECS: Mapping[str, CodecMaker] = {
    "text": _fixed(
        Codec(
            name="text", read=text, write=quoted,
            read_source="{v} if {v}.isalnum() else plain({v}, env)",
        )  # fmt: skip
    ),
    "lines": _fixed(Codec(name="lines", read=lines, write=unlines, left=_TEXTUAL)),
    "integer": _through("integer", _integer, lambda v, e: str(v), "integer"),
    "decimal": _through("decimal", _decimal, lambda v, e: str(v)),
    "boolean": _through("boolean", _boolean, lambda v, e: "Y" if v else "N", "boolean"),
    "date": _through(
        "date", _when(times.iso_date), lambda v, e: times.v2(v[:10]),
        loses="the time of day",
        lossless=frozenset({"DT", "ST"}),
        left=_TIMES,
    ),
    "dateTime": _through("dateTime", _when(times.iso), lambda v, e: times.v2(v), left=_TIMES),
    "instant": _through("instant", _when(times.iso), lambda v, e: times.v2(v), left=_TIMES),
    "time": _through(
        "time", lambda v, e: times.iso_time(v), lambda v, e: v.replace(":", ""),
        left=frozenset({"TM"}),
    ),
    "code": _make_code,
    "name": _fixed(
        Codec(
            name="name", read=read_name, write=write_name, left=frozenset({"XPN"}),
            right=frozenset({"HumanName"}),
        )  # fmt: skip
    ),
    "person": _fixed(
        Codec(
            name="person", read=read_person, write=write_person, left=frozenset({"XCN", "PPN", "CNN"}),
            right=frozenset({"HumanName"}),
        )  # fmt: skip
    ),
    "address": _fixed(
        Codec(
            name="address", read=read_address, write=write_address, left=frozenset({"XAD"}),
            right=frozenset({"Address"}),
        )  # fmt: skip
    ),
    "phone": _make_phone,
    "identifier": _make_identifier,
    "entity": _make_entity,
    "coding": _make_coded("coding"),
    "codings": _make_coded("codings"),
    "concept": _make_coded("concept"),
    "quantity": _fixed(
        Codec(
            name="quantity", read=read_quantity, write=write_quantity,
            left=frozenset({"CQ", "NM"}), right=frozenset({"Quantity"}),
        )  # fmt: skip
    ),
    "attachment": _fixed(
        Codec(
            name="attachment", read=read_attachment, write=write_attachment,
            left=frozenset({"ED"}), right=frozenset({"Attachment"}),
        )  # fmt: skip
    ),
    "base64": _through(
        "base64", _base64_text, lambda v, e: base64.b64encode(v.encode()).decode(),
    ),
    "health-number": _through(
        "health-number", _health_number, lambda v, e: quoted(v, e), loses="spaces and dashes"
    ),
}  # fmt: skip
