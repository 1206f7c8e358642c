"""A peer that shares a folder with us: one JSON file for each message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from adapter.plugin import (
    FULL,
    Capabilities,
    Check,
    DataError,
    Delivered,
    Inbound,
    Outbound,
    System,
    TransientError,
)
from adapter_reference import folder
from adapter_reference.config import FilesConfig
from adapter_reference.events import EVENTS
from adapter_reference.format import ReferenceFormat
from adapter_reference.quirks import FolderQuirks, quirks_from

FORMAT = ReferenceFormat()
SETTLE = 0.05
"""Seconds after which no file can come any more with a time as early as those that are there."""
FIX = "Mount the folder, or correct `folder`; the adapter's user must be able to write there."


class ReferenceFiles(System):
    """One site whose peer shares a folder."""

    name = "reference-files"
    Config = FilesConfig
    capabilities = Capabilities(
        polls=FULL,
        delivers=FULL,
        finds=FULL,
        outbound_format=FORMAT.name,
        outbound_kinds=EVENTS,
    )
    quirks: ClassVar[FolderQuirks] = FolderQuirks()
    config: FilesConfig

    @classmethod
    def adapted(cls, name: str, quirks: Mapping[str, Any]) -> type[System]:
        """A system of another name whose peer names its folders so (level 0).

        Raises:
            ConfigError: the table says what we do not know.
        """
        made = quirks_from(FolderQuirks, quirks, name)
        return type(f"{cls.__name__}_{name}", (cls,), {"name": name, "quirks": made})

    async def check(self) -> list[Check]:
        """Look whether both sides of the folder are there."""
        lacking = await self.context.offload(folder.missing, self._incoming, self._outgoing)
        if lacking:
            detail = f"not there: {', '.join(lacking)}"
            return [Check(name="folder", state="fail", detail=detail, fix=FIX)]
        return [Check(name="folder", state="ok", detail="both sides are there")]

    async def deliver(self, message: Outbound) -> Delivered:
        """Put one file; its name is the delivery's id, so that a repetition changes nothing.

        Raises:
            TransientError: the folder cannot be written to now.
        """
        name = self._name(message)
        try:
            await self.context.offload(folder.write, self._outgoing, name, message.body)
        except OSError as error:
            raise unreachable(error) from error
        return Delivered(external_ids={"file": name})

    async def find(self, message: Outbound) -> Delivered | None:
        """Whether the file of this delivery is there.

        Raises:
            TransientError: the folder cannot be read now.
        """
        name = self._name(message)
        try:
            there = await self.context.offload(folder.exists, self._outgoing, name)
        except OSError as error:
            raise unreachable(error) from error
        return Delivered(external_ids={"file": name}) if there else None

    async def poll(self, cursor: str | None) -> AsyncIterator[tuple[Inbound, str]]:
        """Each file that came after the cursor. One that cannot be understood is handed over too.

        Raises:
            TransientError: the folder cannot be read now.
        """
        try:
            for after, name in await self._came(cursor or ""):
                raw = await self.context.offload(
                    folder.read, self._incoming, name, self.config.max_bytes
                )
                yield inbound(name, raw), after
        except OSError as error:
            raise unreachable(error) from error

    async def _came(self, cursor: str) -> list[tuple[str, str]]:
        """What is behind the cursor; what may still get a file of the same moment waits.

        A cursor that is later than the time was made before the clock was set back. What came since
        may stand before it, so everything is read again; what was taken is known by its key.
        """
        now = await self.context.offload(folder.listed, self._incoming)
        if cursor > folder.present():
            cursor = ""
        if not now or now[-1][0] <= cursor:
            return []
        await self.context.sleep(SETTLE)
        latest = now[-1][0].partition(" ")[0]
        settled = await self.context.offload(folder.listed, self._incoming)
        return [
            each for each in settled if each[0] > cursor and each[0].partition(" ")[0] <= latest
        ]

    def _name(self, message: Outbound) -> str:
        return f"{message.id}{self.quirks.suffix}"

    @property
    def _incoming(self) -> Path:
        return self.config.folder / self.quirks.incoming

    @property
    def _outgoing(self) -> Path:
        return self.config.folder / self.quirks.outgoing


def inbound(name: str, raw: bytes) -> Inbound:
    """The message of a file; its name is its key if it holds none of its own."""
    try:
        tree = FORMAT.parse(raw)
    except DataError:
        return Inbound(raw=raw, format=FORMAT.name, kind="unknown", key=f"file-{name}")
    return Inbound(
        raw=raw,
        format=FORMAT.name,
        kind=FORMAT.kind(tree),
        key=str(tree["id"]),
        test=tree.get("test") is True,
    )


def unreachable(error: OSError) -> TransientError:
    """What an error of the file system means for a message."""
    return TransientError(
        "reference.folder",
        f"the shared folder cannot be used now ({type(error).__name__})",
        fix=FIX,
    )
