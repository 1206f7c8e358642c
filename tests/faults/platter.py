"""A disk whose power can be cut: an ext4 on a loop device, and what of it is on the platter.

What a program wrote and nobody synced lies in the kernel's memory. The image behind the loop device
holds what was given to the disk, so that a copy of the image, taken when everything that writes is
dead, is what a machine finds that lost its power at that moment.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path


class Platter:
    """The file system at a folder, and its images: one for each time that the power came back."""

    def __init__(self, folder: Path, images: Path) -> None:
        self.folder = folder
        self._images = images
        self._number = 0

    @property
    def image(self) -> Path:
        """What the file system now in use is kept in."""
        return self._images / f"image-{self._number}"

    async def cut(self) -> None:
        """Cut the power; whatever writes to the disk must be dead."""
        await asyncio.to_thread(self._cut)

    async def restore(self) -> None:
        """Mount what was on the platter when the power was cut."""
        await asyncio.to_thread(self._restore)

    def _cut(self) -> None:
        last, copy = self.image, self._images / f"image-{self._number + 1}"
        while True:  # the kernel may write something by itself meanwhile: then once more
            command("cp", "--sparse=always", str(last), str(copy))
            if subprocess.run(["cmp", "-s", last, copy], check=False).returncode == 0:
                return

    def _restore(self) -> None:
        command("umount", "-l", str(self.folder))
        last = self.image
        self._number += 1
        command("mount", "-o", "loop", str(self.image), str(self.folder))
        last.unlink()


@asynccontextmanager
async def platter(size: str) -> AsyncIterator[Platter]:
    """A new file system of a size (as `truncate` takes it), taken away at the end."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "folder")
        made = Platter(folder, Path(place))
        command("mkdir", str(folder))
        command("truncate", "-s", size, str(made.image))
        command("mkfs.ext4", "-q", str(made.image))
        command("mount", "-o", "loop", str(made.image), str(folder))
        try:
            yield made
        finally:
            command("umount", "-l", str(folder))


@asynccontextmanager
async def mounted(*how: str) -> AsyncIterator[Path]:
    """A folder with a file system of its own, taken away at the end."""
    with tempfile.TemporaryDirectory() as place:
        command("mount", *how, place)
        try:
            yield Path(place)
        finally:
            command("umount", "-l", place)


def sync(folder: Path) -> None:
    """Put what was written so far on the disk that a folder is on, and on no other: tests that run
    beside this one forget theirs."""
    command("sync", "-f", str(folder))


def command(*words: str) -> str:
    """Run a program of the system; what it says."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@cache
def may_mount() -> bool:
    """True if this process may mount file systems, on loop devices too.

    It takes root, and more than a container is given unless it is asked for.
    """
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as place:
        image, folder = f"{place}/image", f"{place}/folder"
        Path(folder).mkdir()
        try:
            command("truncate", "-s", "1M", image)
            command("mkfs.ext4", "-q", image)
            command("mount", "-o", "loop", image, folder)
            command("umount", folder)
        except (OSError, subprocess.CalledProcessError):
            return False
    return True
