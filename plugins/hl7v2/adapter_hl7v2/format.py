"""The format `hl7v2`: messages to trees and back, for mapping tables and the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from adapter.plugin import DataError
from adapter.plugin.formats import CodecMaker, Finding, Leaf, Settings
from adapter_hl7v2 import batch, codecs
from adapter_hl7v2.environment import Er7Environment, reading, writing
from adapter_hl7v2.er7 import NUMBERED
from adapter_hl7v2.message import Message
from adapter_hl7v2.paths import Er7Notation

GROUPS: Mapping[str, Sequence[str]] = {
    "PRD": ("CTD",), "AUT": ("CTD",), "OBR": ("NTE", "OBX"), "OBX": ("NTE",),
}  # fmt: skip
ORDER = (
    "MSH", "MSA", "ERR", "SFT", "UAC", "QRD", "QRF", "RF1", "AUT", "PRD", "CTD", "PID", "PD1",
    "NK1", "GT1", "IN1", "IN2", "IN3", "ACC", "DG1", "DRG", "AL1", "PR1", "ORC", "OBR", "OBX",
    "PV1", "PV2", "NTE",
)  # fmt: skip


class Hl7v2Format:
    """HL7 v2 in its delimiter encoding (ER7), versions 2.3 to 2.9."""

    name = "hl7v2"
    media_type = "x-application/hl7-v2+er7"
    suffix = ".hl7"
    codecs: Mapping[str, CodecMaker] = codecs.CODECS

    def split(self, data: bytes) -> Iterator[bytes | DataError]:
        """Each message of a file: one after another, in batches, or in MLLP frames."""
        return batch.split([data])

    def split_blocks(self, blocks: Iterable[bytes]) -> Iterator[bytes | DataError]:
        """The same of an input that comes in blocks."""
        return batch.split(blocks)

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
        """Every value once; its place is segment, field, repetition, component, subcomponent."""
        for leaf in tree.leaves():
            where = (leaf.segment, leaf.field, leaf.rep, leaf.comp, leaf.sub)
            yield Leaf(leaf.path, leaf.raw, where)

    def made_again(self, leaf: Leaf) -> str:
        """Set ids are positions."""
        if leaf.where[1] == 1 and leaf.path[:3] in NUMBERED:
            return "the segment's position, written again from the order"
        return ""

    def notation(self, side: Mapping[str, Any]) -> Er7Notation:
        """The paths of one map; `groups` of the map replace the usual ones."""
        return Er7Notation(side.get("groups") or GROUPS, side.get("order") or ORDER, side)

    def reading(self, tree: Message, settings: Settings) -> Er7Environment:
        """What codecs need to read this message."""
        return reading(tree, settings)

    def writing(self, document: Mapping[str, Any], settings: Settings, kind: str) -> Er7Environment:
        """What codecs need to write a message."""
        return writing(settings)

    def validate(self, raw: bytes) -> Sequence[Finding]:
        """What can be said against one message; see `adapter_hl7v2.validation`."""
        from adapter_hl7v2.validation import validate

        return validate(raw)
