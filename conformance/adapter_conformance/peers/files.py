"""A peer that exchanges files in a folder: it puts its own into `in`, and takes ours from `out`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from adapter_conformance.peers import Arrived, FaultName
from adapter_conformance.peers.nobody import NobodyPeer


class FilesPeer(NobodyPeer):
    """A folder that can be gone. The name of a file is its key; a dot means: not there yet."""

    faults = frozenset({"unavailable", "down"})

    def __init__(self) -> None:
        self._fault: FaultName | None = None
        self.folder = Path("not-started")
        super().__init__()

    async def start(self) -> None:
        """Make the folder."""
        self.folder = Path(tempfile.mkdtemp(prefix="kit-")) / "exchange"
        self.values = {"folder": str(self.folder)}
        for name in ("in", "out"):
            (self.folder / name).mkdir(parents=True)

    async def stop(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder.parent, ignore_errors=True)

    @property
    def fault(self) -> FaultName | None:
        """What is wrong with it now."""
        return self._fault

    @fault.setter
    def fault(self, fault: FaultName | None) -> None:
        away = self.folder.with_name("away")
        if fault is not None and self._fault is None and self.folder.is_dir():
            self.folder.rename(away)
        if fault is None and self._fault is not None:
            away.rename(self.folder)
        self._fault = fault

    def arrived(self) -> Sequence[Arrived]:
        """The files, oldest first."""
        files = [each for each in (self.folder / "out").iterdir() if each.name[0] != "."]
        files.sort(key=lambda each: each.stat().st_mtime_ns)
        return [Arrived(each.name, each.read_bytes()) for each in files]

    async def offer(self, messages: Sequence[bytes]) -> None:
        """Put a file for each message."""
        for number, raw in enumerate(messages, 1):
            (self.folder / "in" / f"{number:04d}.json").write_bytes(raw)
