"""A second opinion on a message's structure, by hl7apy, in a worker process.

hl7apy 1.3 knows cardinality and data types of every segment, is some thousand times slower than our
own reader, and has faults that were measured; each is worked around here and tested:

- Segments that its structure lacks vanish in silence when groups are found. What it cannot place is
  taken out before, by our own structures, and said; what still vanishes is counted and said.
- Only CR ends a segment for it; a byte order mark, a fifth encoding character before 2.7 and
  unusual delimiters stop it. It gets the message rewritten, with CR and the usual delimiters.
- It escapes what is escaped already. Escapes are replaced by a letter before it looks.
- It finds no structure when MSH-9.3 is missing or wrong: it gets the right one. OSU^O51 it knows
  only as OSU_O41.
- It has no 2.7.1 and no 2.9: those are checked as 2.7 and 2.8.2, and that is said.
- Its STRICT level refuses nearly every real message; TOLERANT with a validation afterwards is used.
- Some of its facts are wrong (hl7apy_findings.toml says which, and why): those findings are left
  out, and others that are no reason to hold a message back are warnings. Its table findings repeat
  values and are left out.
- Its time grows with the number of elements: beyond a cap it is not asked, and that is said.
"""

from __future__ import annotations

import io
import re
import tomllib
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from adapter.plugin.formats import Finding
from adapter_hl7v2.encoding import ABSENT, Encoding
from adapter_hl7v2.errors import ReadError
from adapter_hl7v2.message import Message
from adapter_hl7v2.structure.definitions import VERSIONS, message_structure
from adapter_hl7v2.structure.sequence import arrange
from adapter_hl7v2.validation import structure_name

MOST_ELEMENTS = 20_000

_KNOWN_AS = {"2.7.1": "2.7", "2.9": "2.8.2"}
_RENAMED = {"OSU_O51": "OSU_O41"}
_ABOUT_STRUCTURE = re.compile(r"Missing required child |Child limit exceeded ")
_USUAL = Encoding()


def verify(raw: bytes) -> list[Finding]:
    """What hl7apy says against a message; runs for tens of milliseconds, so off the event loop.

    Findings of severity ``error`` say that something required is missing or that there is too much
    of something; ``warning`` is anything else; ``information`` says what was not looked at. Raises
    nothing.
    """
    try:
        message = Message.parse(raw)
    except ReadError as error:
        return [Finding("error", error.location, error.message)]
    version = message.version
    name = structure_name(message)
    structure = message_structure(version, name) if version in VERSIONS and name else None
    if structure is None:
        return [_not_checked("MSH-9", "hl7apy has no structure for this message and version")]
    if sum(1 for _ in message.leaves()) > MOST_ELEMENTS:
        return [_not_checked("", f"the message has more than {MOST_ELEMENTS:,} values")]
    found: list[Finding] = []
    if version in _KNOWN_AS:
        found.append(_not_checked("MSH-12", f"checked as version {_KNOWN_AS[version]}"))
    arrangement = arrange([segment.id for segment in message.segments], structure)
    aside = {*arrangement.unknown, *arrangement.misplaced}
    for index in sorted(aside):
        place = message.segments[index].id
        found.append(_not_checked(place, f"hl7apy was not asked: {name} has no place for it"))
    lines = [
        _rewritten(segment.fields, message.encoding, segment.id == "MSH")
        for index, segment in enumerate(message.segments)
        if index not in aside
    ]
    lines[0] = _with_header(lines[0], message, _RENAMED.get(name, name))
    said = _ask("\r".join(lines) + "\r")
    return found + [each for each in map(_judge(message.type, version), said) if each is not None]


def _rewritten(fields: list[str], encoding: Encoding, header: bool) -> str:
    """One segment with the usual delimiters and each escape as a letter."""
    escapes = re.compile(f"{re.escape(encoding.escape)}[^{re.escape(encoding.escape)}]*"
                         f"{re.escape(encoding.escape)}")  # fmt: skip
    swap = str.maketrans({
        ours: usual
        for ours, usual in (
            (encoding.component, _USUAL.component),
            (encoding.repetition, _USUAL.repetition),
            (encoding.subcomponent, _USUAL.subcomponent),
        )
        if ours != ABSENT
    })  # fmt: skip
    foreign = str.maketrans("", "", "|^~&\\")
    out = []
    for field in fields[3:] if header else fields:
        text = escapes.sub("x", field) if encoding.escape != ABSENT else field
        pieces = re.split(f"([{re.escape(encoding.characters[:4])}])", text)
        out.append("".join(
            piece.translate(swap) if len(piece) == 1 and piece in encoding.characters
            else piece.translate(foreign)
            for piece in pieces
        ))  # fmt: skip
    start = ["MSH", _USUAL.characters] if header else []
    return "|".join([*start, *out])


def _with_header(line: str, message: Message, structure: str) -> str:
    """MSH with the structure and the version under which hl7apy knows the message."""
    fields = line.split("|")
    fields[8] = "^".join((message.type, message.trigger, structure))
    if message.version == "2.3":  # it looks for a structure, and 2.3 has no MSH-9.3
        fields[8] = "^".join((message.type, message.trigger))
    fields[11] = _KNOWN_AS.get(message.version, message.version)
    return "|".join(fields)


def _ask(text: str) -> list[Finding]:
    from hl7apy import validation
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.exceptions import HL7apyException
    from hl7apy.parser import parse_message

    report = _Report()
    # Its report goes to a named file only, and holds values: it is given memory instead.
    vars(validation)["open"] = lambda *_: report
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT)
            kept = Counter(_segment_names(parsed))
            validation.Validator.validate(parsed, report_file="report")
    except HL7apyException:
        pass  # the first error of the report, which has them all
    except (IndexError, AttributeError, KeyError, ValueError, TypeError) as error:
        return [_not_checked("", f"hl7apy failed on it ({type(error).__name__})")]
    finally:
        del vars(validation)["open"]
    lost = Counter(line[:3] for line in text.split("\r") if line) - kept
    found = [_not_checked(name, f"hl7apy lost {n} of them") for name, n in sorted(lost.items())]
    return found + [
        Finding("error", "", _without_values(line.removeprefix("Error: ")))
        for line in report.getvalue().splitlines()
        if line.startswith("Error: ")
    ]


@dataclass(frozen=True, slots=True)
class Known:
    """A finding of hl7apy that is known: its verdict is ``wrong``, ``lenient`` or ``unseen``."""

    id: str
    pattern: re.Pattern[str]
    verdict: str
    why: str
    versions: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()

    def fits(self, text: str, kind: str, version: str) -> bool:
        """Whether it is about this finding, in a message of this type and version."""
        return (
            self.pattern.search(text) is not None
            and (not self.versions or version.startswith(self.versions))
            and (not self.messages or kind in self.messages)
        )


@cache
def known_findings() -> tuple[Known, ...]:
    """The findings of hl7apy that are not believed, from hl7apy_findings.toml."""
    file = resources.files("adapter_hl7v2") / "hl7apy_findings.toml"
    return tuple(
        Known(
            id=row["id"],
            pattern=re.compile(row["pattern"]),
            verdict=row["verdict"],
            why=row["why"],
            versions=tuple(row.get("versions", ())),
            messages=tuple(row.get("messages", ())),
        )
        for row in tomllib.loads(file.read_text("utf-8"))["finding"]
    )


def _judge(kind: str, version: str) -> Callable[[Finding], Finding | None]:
    """What becomes of each finding in a message of this type and version."""
    version = _KNOWN_AS.get(version, version)

    def judged(finding: Finding) -> Finding | None:
        if finding.severity != "error":
            return finding
        for known in known_findings():
            if known.fits(finding.message, kind, version):
                if known.verdict == "wrong":
                    return None
                severity = "warning" if known.verdict == "lenient" else "information"
                return Finding(severity, finding.where, finding.message)
        believed = _ABOUT_STRUCTURE.match(finding.message)
        return finding if believed else Finding("warning", finding.where, finding.message)

    return judged


class _Report(io.StringIO):
    """A report that can be read after it was closed."""

    def close(self) -> None:
        """Stay open."""


def _segment_names(element: Any) -> list[str]:
    if element.classname == "Segment":
        return [element.name]
    return [name for child in element.children for name in _segment_names(child)]


def _without_values(line: str) -> str:
    """hl7apy prints elements with their type, never their content; keep it so."""
    return re.sub(r"Value .* not in", "A value is not in", line)[:200]


def _not_checked(where: str, message: str) -> Finding:
    return Finding("information", where, message)
