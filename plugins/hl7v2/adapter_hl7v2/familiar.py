r"""Messages of senders that were heard before: most of what is checked stands in a header that is
the same again.

A sender writes the same MSH into every message, but for its time (MSH-7) and its id (MSH-10). What
such a header means, and that it is right, is found once by `checks.check` and kept. What is left to
look at is the body, and only one that leaves no doubt is let through here: of the usual delimiters,
in its charset, with one MSH, within the limits, with a PID whose identifier types are known. Every
other message goes the long way. The rules are those of `check` and are nowhere else: a test holds
the two to the same verdict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from adapter_hl7v2.acknowledge import Form, form_of
from adapter_hl7v2.checks import ABOUT_A_PATIENT, Checked, Policy
from adapter_hl7v2.structure.definitions import table_codes

_START = b"MSH|^~\\&|"
_PATIENT = b"\rPID|"
_ID = re.compile(rb"[A-Za-z0-9._-]{1,199}")
_TYPE = re.compile(r"[A-Za-z0-9]+")
_TIME, _CONTROL_ID = 6, 9
_MOST = 256
_LONGEST_HEAD = 1000
_TRUE_WHATEVER_ELSE = frozenset({"ascii", "utf-8", "cp1252"})


@dataclass(frozen=True, slots=True)
class Familiar:
    """What a header means.

    Attributes:
        dialect: its name.
        codec: of the message.
        types: the types of patient identifiers that need no warning.
        form: the acceptance.
    """

    kind: str
    dialect: str
    test: bool
    codec: str
    types: frozenset[bytes]
    form: Form


class Acquaintances:
    """The headers that one site has seen in messages that were right."""

    def __init__(self, policy: Policy) -> None:
        self._longest = min(policy.limits.size, policy.limits.segments, policy.limits.elements)
        self._known: dict[bytes, Familiar] = {}

    def learn(self, data: bytes, checked: Checked) -> None:
        """Keep what the header of a message means, if nothing was wrong with it or odd."""
        seen = _header(data)
        kind = checked.kind
        if seen is None or checked.problems or kind.partition("^")[0] not in ABOUT_A_PATIENT:
            return
        header, own = seen
        codec = checked.message.encoding.codec
        form = form_of(checked.message)
        if form is None or own != checked.key or not _narrow(codec):
            return
        names = {*table_codes("0203"), *checked.dialect.identifier_types}
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[header] = Familiar(
            kind=kind,
            dialect=checked.dialect.name,
            test=checked.test,
            codec=codec,
            types=frozenset(name.encode() for name in names if _TYPE.fullmatch(name)) | {b""},
            form=form,
        )

    def recall(self, data: bytes) -> tuple[Familiar, str] | None:
        """What is known of a message that is surely right, and its control id; else None."""
        seen = _header(data)
        if seen is None:
            return None
        header, own = seen
        known = self._known.get(header)
        if known is None or not self._sound(data, known):
            return None
        return known, own

    def _sound(self, data: bytes, known: Familiar) -> bool:
        """Whether the body leaves no doubt."""
        if len(data) > self._longest or b"\n" in data or data.find(b"MSH", 3) >= 0:
            return False
        if not data.isascii() and not (known.codec == "utf-8" and _is_utf8(data)):
            return False
        at = data.find(_PATIENT)
        if at < 0:
            return False
        end = data.find(b"\r", at + 1)
        fields = data[at + 1 : end if end > 0 else len(data)].split(b"|", 4)
        if len(fields) < 4:
            return True
        for identifier in fields[3].split(b"~"):
            parts = identifier.split(b"^", 5)
            if len(parts) > 4 and parts[4] not in known.types:
                return False
        return True


def _header(data: bytes) -> tuple[bytes, str] | None:
    """MSH without its time and id, and the id, if it has the usual form; else None."""
    head = data[: data.find(b"\r")] if data.startswith(_START) else b""
    if len(head) > _LONGEST_HEAD or not head.isascii():
        return None
    fields = head.split(b"|")
    if len(fields) <= _CONTROL_ID or not _ID.fullmatch(fields[_CONTROL_ID]):
        return None
    own = fields[_CONTROL_ID].decode("ascii")
    fields[_TIME] = fields[_CONTROL_ID] = b""
    return b"|".join(fields), own


def _narrow(codec: str) -> bool:
    """Whether plain ASCII bytes are the same in it; what is not plain is looked at by `_sound`."""
    return codec in _TRUE_WHATEVER_ELSE or codec.startswith("iso8859")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
