"""The shipped synthetic messages, made new for each run: own numbers and control ids.

Segments and fields are handled as text, as a small EMR would.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from importlib import resources

PACK = "adapter_mappings"


def shipped(name: str) -> str:
    """A synthetic message of the hl7v2_ref pack, segments ended by carriage returns."""
    file = resources.files(PACK) / "hl7v2_ref" / "cases" / name
    text = file.read_bytes().decode("utf-8")
    return "\r".join(text.replace("\r\n", "\r").replace("\n", "\r").split("\r")).rstrip("\r") + "\r"


def renewed(message: str) -> str:
    """The same referral as a new one: its own referral number and control id."""
    run = secrets.token_hex(6).upper()
    message = _with(message, "MSH", 7, _now())
    if get(message, "MSH", 10):
        message = _with(message, "MSH", 10, f"DEMO{run}A")
    number = get(message, "RF1", 6).split("^")
    if number[0]:
        message = _with(message, "RF1", 6, "^".join([f"{number[0]}-{run}", *number[1:]]))
    return message


def cancellation(message: str) -> str:
    """The I14 that takes a referral back (HL7 v2.5.1, 11.3.3; RF1-1 as table 0283 has it)."""
    structure = get(message, "MSH", 9).split("^")[2:]
    message = _with(message, "MSH", 9, "^".join(["REF", "I14", *structure]))
    message = _with(message, "MSH", 7, _now())
    message = _with(message, "MSH", 10, f"DEMO{secrets.token_hex(3).upper()}C")
    if get(message, "RF1", 6):
        message = _with(message, "RF1", 1, "R")
    return message


def get(message: str, segment: str, number: int) -> str:
    """One field of the first segment of this name, or an empty text."""
    for line in message.split("\r"):
        if line.startswith(segment):
            parts = line.split("|")
            index = _index(segment, number)
            return parts[index] if index < len(parts) else ""
    return ""


def _with(message: str, segment: str, number: int, value: str) -> str:
    lines = message.split("\r")
    for place, line in enumerate(lines):
        if line.startswith(segment):
            parts = line.split("|")
            index = _index(segment, number)
            parts += [""] * (index + 1 - len(parts))
            parts[index] = value
            lines[place] = "|".join(parts)
            break
    return "\r".join(lines)


def _index(segment: str, number: int) -> int:
    """MSH-1 is the separator itself."""
    return number - 1 if segment == "MSH" else number


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
