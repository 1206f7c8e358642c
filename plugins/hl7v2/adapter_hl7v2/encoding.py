r"""The delimiters of a message, and its escapes both ways (HL7 v2 chapter 2, escape sequences).

Reading: ``\F\ \S\ \T\ \R\ \E\ \P\`` stand for delimiters, ``\Xhh..\`` for bytes in the charset of
the message, ``\.br\`` and its kin for line breaks and blanks, ``\H\`` and ``\N\`` for nothing that
text can show, ``\Cxxyy\`` and ``\Mxxyyzz\`` switch the charset for what follows. What is none of
these stays as it is: ``C:\temp\x`` is text.

Writing: nothing that a value holds can end it. Delimiters, controls and line ends are escaped, and
a value that would read as HL7's null (two double quotes) is written so that it does not.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from functools import lru_cache

from adapter_hl7v2.errors import ReadError

NULL = '""'
ABSENT = "\r"  # stands for a delimiter that the message has not: it cannot occur inside a segment

_BREAKS = {".br": "\n", ".ce": "\n", ".in": "", ".ti": "", ".fi": "", ".nf": ""}
# ISO 2022 designations that name a one-byte set (table 0211 with chapter 2, section on charsets).
_SWITCHES = {
    "C2842": "ascii", "C2D41": "iso8859-1", "C2D42": "iso8859-2", "C2D43": "iso8859-3",
    "C2D44": "iso8859-4", "C2D4C": "iso8859-5", "C2D47": "iso8859-6", "C2D46": "iso8859-7",
    "C2D48": "iso8859-8", "C2D4D": "iso8859-9", "C2D62": "iso8859-15",
}  # fmt: skip
# Two-byte sets, by the ISO 2022 sequence that makes Python's decoder switch to them.
_WIDE_SWITCHES = {"M2442": b"\x1b$B", "M242844": b"\x1b$(D"}


@dataclasses.dataclass(frozen=True, slots=True)
class Encoding:
    """Delimiters and charset of one message; an absent delimiter is `ABSENT`."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ABSENT
    codec: str = "utf-8"
    _special: re.Pattern[str] = dataclasses.field(init=False, repr=False, compare=False)
    _inner: re.Pattern[str] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile once what every written value is searched for."""
        delimiters = self.field + self.characters
        object.__setattr__(self, "_special", _special_pattern(delimiters))
        inner = delimiters.replace(self.component, "") + '"'
        object.__setattr__(self, "_inner", _special_pattern(inner))

    @property
    def characters(self) -> str:
        """MSH-2."""
        said = self.component + self.repetition + self.escape + self.subcomponent + self.truncation
        return said.replace(ABSENT, "")

    def unescape(self, raw: str) -> str:
        """The text that a raw value stands for."""
        if self.escape not in raw:
            return raw
        if _switch_pattern(self.escape).search(raw):
            switches = _switches(self.escape, raw)
            if switches:
                return _unescape_switched(self, raw, switches)
        return _sequence_pattern(self.escape).sub(lambda found: _meaning(self, found), raw)

    def join(self, texts: Sequence[str]) -> str:
        """The raw repetition of these components' texts; empty ones at its end are left out."""
        mark = self.component
        whole = mark.join(texts)
        # One look at the whole tells most often that no component needs an escape.
        if self._inner.search(whole) or whole.count(mark) >= len(texts):
            whole = mark.join([self.quote(text) for text in texts])
        return whole.rstrip(mark)

    def quote(self, text: str) -> str:
        """The raw value that stands for a text, whatever characters it holds."""
        if not self._special.search(text) and text != NULL:
            return text
        if text == NULL:
            return f'{self.escape}X{self._hex(text[0])}{self.escape}"'
        return self._special.sub(lambda found: self._quoted(found.group()), text)

    def _quoted(self, found: str) -> str:
        letter = {
            self.field: "F",
            self.component: "S",
            self.subcomponent: "T",
            self.repetition: "R",
            self.escape: "E",
            self.truncation: "P",
            "\n": ".br",
        }.get(found if found != ABSENT else "")
        if letter is None:
            try:
                letter = f"X{self._hex(found)}"
            except UnicodeEncodeError:  # told by to_bytes, which knows the whole value
                return found
        return f"{self.escape}{letter}{self.escape}"

    def _hex(self, text: str) -> str:
        return text.encode(_bare(self.codec)).hex().upper()


@lru_cache(maxsize=64)
def encoding_of(field: str, characters: str, codec: str) -> Encoding:
    """The encoding that MSH-1, MSH-2 and a charset declare.

    Raises:
        ReadError: ``encoding-characters``, if they cannot be told apart or are letters or digits.
    """
    declared = field + characters
    sound = (
        len(field) == 1
        and 1 <= len(characters) <= 5
        and len(set(declared)) == len(declared)
        and all(c.isascii() and c.isprintable() and not c.isalnum() and c != " " for c in declared)
    )
    if not sound:
        raise ReadError(
            "encoding-characters",
            "MSH-1 and MSH-2 do not declare usable delimiters",
            fix="send MSH|^~\\&| unless both sides agreed on other delimiters",
            condition="102",
            location="MSH-2",
        )
    component, repetition, escape, subcomponent, truncation = list(characters.ljust(5, ABSENT))
    return Encoding(field, component, repetition, escape, subcomponent, truncation, codec)


def _bare(codec: str) -> str:
    return {"utf-16": "utf-16-be", "utf-32": "utf-32-be"}.get(codec, codec)


@lru_cache(maxsize=64)
def _special_pattern(delimiters: str) -> re.Pattern[str]:
    # One set of characters and no alternative: that is four times as fast to search for.
    return re.compile(rf"[{re.escape(delimiters)}\x00-\x08\x0a-\x1f\x7f-\x9f]")


@lru_cache(maxsize=64)
def _sequence_pattern(escape: str) -> re.Pattern[str]:
    e = re.escape(escape)
    return re.compile(
        rf"(?P<hex>(?:{e}X(?:[0-9A-Fa-f]{{2}})+{e})+)"
        rf"|{e}(?:(?P<letter>[FSTREPHN])"
        rf"|(?P<command>\.(?:br|ce|in|ti|fi|nf|sp|sk)) ?(?P<count>[+-]?[0-9]{{0,2}})){e}"
    )


@lru_cache(maxsize=64)
def _switch_pattern(escape: str) -> re.Pattern[str]:
    e = re.escape(escape)
    return re.compile(rf"{e}([CM][0-9A-Fa-f]{{4}}(?:[0-9A-Fa-f]{{2}})?){e}")


@lru_cache(maxsize=64)
def _any_pattern(escape: str) -> re.Pattern[str]:
    switch = _switch_pattern(escape).pattern.replace("(", "(?P<switch>", 1)
    return re.compile(f"{_sequence_pattern(escape).pattern}|{switch}")


def _meaning(encoding: Encoding, found: re.Match[str]) -> str:
    if found["hex"]:
        return _from_hex(encoding, found["hex"])
    if found["letter"]:
        stands_for = {
            "F": encoding.field,
            "S": encoding.component,
            "T": encoding.subcomponent,
            "R": encoding.repetition,
            "E": encoding.escape,
            "P": encoding.truncation,
            "H": "",
            "N": "",
        }[found["letter"]]
        return found.group() if stands_for == ABSENT else stands_for
    command = found["command"]
    if command in (".sp", ".sk"):
        return ("\n" if command == ".sp" else " ") * max(1, int(found["count"].lstrip("+-") or 1))
    return _BREAKS[command]


def _from_hex(encoding: Encoding, sequences: str) -> str:
    """Adjacent sequences are read together: some senders write one byte of UTF-8 in each."""
    digits = "".join(part[1:] for part in sequences.split(encoding.escape) if part)
    try:
        return bytes.fromhex(digits).decode(_bare(encoding.codec))
    except UnicodeDecodeError:
        return sequences


def _switches(escape: str, raw: str) -> list[re.Match[str]]:
    """The charset switches of a value. One escape character cannot end a sequence and begin the
    next one, so sequences are taken from the left: in ``\\.br\\C2842\\.br\\`` there is no switch.
    """
    return [found for found in _any_pattern(escape).finditer(raw) if found["switch"]]


def _unescape_switched(encoding: Encoding, raw: str, switches: list[re.Match[str]]) -> str:
    """Read a value that changes its charset on the way; unknown charsets stay as they are."""
    sequence = _sequence_pattern(encoding.escape)
    text = [sequence.sub(lambda found: _meaning(encoding, found), raw[: switches[0].start()])]
    ends = [*(found.start() for found in switches[1:]), len(raw)]
    for switch, end in zip(switches, ends, strict=True):
        piece = raw[switch.end() : end]
        said = _in_charset(encoding, switch["switch"].upper(), piece)
        if said is None:
            text.append(switch.group())
            said = piece
        text.append(sequence.sub(lambda found: _meaning(encoding, found), said))
    return "".join(text)


def _in_charset(encoding: Encoding, switch: str, piece: str) -> str | None:
    try:
        if switch in _WIDE_SWITCHES:
            return (_WIDE_SWITCHES[switch] + piece.encode("ascii")).decode("iso2022_jp_2")
        if switch in _SWITCHES:
            return piece.encode(encoding.codec).decode(_SWITCHES[switch])
    except UnicodeError:
        return None
    return None
