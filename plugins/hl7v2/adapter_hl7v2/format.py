"""The format `hl7v2`: messages to trees and back, for mapping tables and the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapter.plugin.formats import CodecMaker, Finding, Leaf, Settings
from adapter_hl7v2 import codecs
from adapter_hl7v2.message import Message
from adapter_hl7v2.paths import Er7Notation

_START = re.compile(rb"(?:\A|(?<=[\r\n]))[ \t]*MSH(?=[^A-Za-z0-9\r\n])")
_BATCH = re.compile(rb"(?:\A|(?<=[\r\n]))(?:FHS|BHS|BTS|FTS)[^\r\n]*[\r\n]*")
_FRAME = re.compile(rb"\x0b|\x1c\r?\n?")

GROUPS: Mapping[str, Sequence[str]] = {
    "PRD": ("CTD",), "AUT": ("CTD",), "OBR": ("NTE", "OBX"), "OBX": ("NTE",),
}  # fmt: skip
ORDER = (
    "MSH", "MSA", "ERR", "SFT", "UAC", "QRD", "QRF", "RF1", "AUT", "PRD", "CTD", "PID", "PD1", "NK1",
    "GT1", "IN1", "IN2", "IN3", "ACC", "DG1", "DRG", "AL1", "PR1", "ORC", "OBR", "OBX", "PV1", "PV2",
    "NTE",
)  # fmt: skip


class Hl7v2Format:
    """HL7 v2 in its delimiter encoding (ER7), versions 2.3 to 2.9."""

    name = "hl7v2"
    media_type = "x-application/hl7-v2+er7"
    suffix = ".hl7"
    codecs: Mapping[str, CodecMaker] = codecs.CODECS

    def split(self, data: bytes) -> Iterator[bytes]:
        """Each message of a file: batch headers, MLLP frames and line ends between them are dropped.

        Bytes that hold no MSH are given as one message, so that they can be refused by name.
        """
        data = _FRAME.sub(b"\r", data)
        starts = [found.start() for found in _START.finditer(data)]
        if not starts:
            if data.strip():
                yield data
            return
        for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
            yield _BATCH.sub(b"", data[start:end])

    def parse(self, raw: bytes) -> Message:
        """One message; ReadError if the bytes are none."""
        return Message.parse(raw)

    def dump(self, tree: Message) -> bytes:
        """The message's bytes, segments ending in CR."""
        return tree.to_bytes()

    def kind(self, tree: Message) -> str:
        """``REF^I12``: MSH-9.1 and MSH-9.2."""
        return tree.kind

    def leaves(self, tree: Message) -> Iterator[Leaf]:
        """Every value once, with its place (segment, field, repetition, component, subcomponent)."""
        for leaf in tree.leaves():
            where = (leaf.segment, leaf.field, leaf.rep, leaf.comp, leaf.sub)
            yield Leaf(leaf.path, leaf.raw, where)

    def notation(self, side: Mapping[str, Any]) -> Er7Notation:
        """The paths of one map; `groups` of the map replace the usual ones."""
        return Er7Notation(side.get("groups") or GROUPS, side.get("order") or ORDER)

    def reading(self, tree: Message, settings: Settings) -> codecs.Er7Environment:
        """What codecs need to read this message."""
        return codecs.reading(tree, settings)

    def writing(
        self, document: Mapping[str, Any], settings: Settings, kind: str
    ) -> codecs.Er7Environment:
        """What codecs need to write a message."""
        return codecs.writing(settings)

    def validate(self, raw: bytes) -> Sequence[Finding]:
        """Whether the bytes are one readable message."""
        self.parse(raw)
        return ()
