"""The disk of the store is full, gives errors, or can only be read; and is well again.

Where file systems may be mounted, real ones are used: a small tmpfs that a file of ballast fills,
and an ext4 on a loop device that its own kernel switches to read-only. A write error is a limit on
the size of the service's files, set from outside while it runs: SQLite sees a write that fails
(EFBIG), which it reports as an I/O error.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tests.faults.outage import outage
from tests.faults.platter import command, may_mount, mounted, sync
from tests.faults.stage import Stage, staged
from tests.faults.tour import Tour

KIND = "disk"
_SMALL = "12m"
_NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


Act = Callable[[Stage], Awaitable[None]]


async def run(tour: Tour) -> None:
    """Each fault of the disk, on SQLite."""
    for _ in range(tour.pick(sample=1, quick=1, full=5)):
        async with tour.stage("sqlite") as stage:
            await stage.start()
            await _break(tour, stage, "write errors", limit_files, free_files)
        if not may_mount():
            tour.say("disk: left out: a full and a read-only one, which this process may not mount")
            continue
        async with _small() as folder, staged(await tour.zygote(), place=folder) as stage:
            await stage.start()
            await _break(tour, stage, "disk full", fill(folder), empty(folder))
        if tour.scale != "sample":
            await _read_only(tour)


async def _break(tour: Tour, stage: Stage, fault: str, fail: Act, heal: Act) -> None:
    seconds = tour.pick(sample=1, quick=2, full=6)
    await outage(
        tour, stage, fault=fault, kind=KIND, store="sqlite", fail=fail, heal=heal, seconds=seconds
    )


async def _read_only(tour: Tour) -> None:
    """A file system that its kernel makes read-only after an error, until it is mounted again.

    What was not synced by then is lost with it, as in a power cut.
    """
    with tempfile.TemporaryDirectory() as place:
        image = f"{place}/image"
        command("truncate", "-s", "64M", image)
        command("mkfs.ext4", "-q", image)
        async with mounted("-o", "loop,errors=remount-ro", image) as folder:

            async def fail(_: Stage) -> None:
                command("sh", "-c", f"echo 1 > {trigger(folder)}")

            async def heal(stage: Stage) -> None:
                await stage.kill()
                stage.let_go()
                command("umount", str(folder))
                command("sh", "-c", f"fsck.ext4 -p {image} || true")
                command("mount", "-o", "loop", image, str(folder))
                await stage.start()

            if not await asyncio.to_thread(trigger(folder).exists):
                tour.say("disk: this kernel cannot be told to switch to read-only; left out")
                return
            async with staged(await tour.zygote(), place=folder) as stage:
                await stage.start()
                sync(folder)  # key and configuration; what comes later is the store's to sync
                await _break(tour, stage, "read-only file system", fail, heal)


def trigger(folder: Path) -> Path:
    """The file of the kernel that makes the file system at a folder go read-only."""
    device = Path(command("findmnt", "-no", "SOURCE", str(folder)).strip()).name
    return Path(f"/sys/fs/ext4/{device}/trigger_fs_error")


async def limit_files(stage: Stage) -> None:
    """No file of the service may grow beyond a few pages from now on."""
    resource.prlimit(stage.pid, resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))


async def free_files(stage: Stage) -> None:
    """Files may grow again."""
    resource.prlimit(stage.pid, resource.RLIMIT_FSIZE, _NO_LIMIT)


def fill(folder: Path) -> Act:
    """Take all the space that is left."""

    async def act(_: Stage) -> None:
        await asyncio.to_thread(_ballast, folder / "ballast")

    return act


def empty(folder: Path) -> Act:
    """Give the space back."""

    async def act(_: Stage) -> None:
        (folder / "ballast").unlink()

    return act


def _ballast(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def _small() -> AbstractAsyncContextManager[Path]:
    return mounted("-t", "tmpfs", "-o", f"size={_SMALL}", "tmpfs")
