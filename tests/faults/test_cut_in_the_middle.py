"""A command dies in its middle, and the power with it: what is found is the old state or the new.

Both are usable: the key opens the store, the chains hold, and every count is what it was.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from adapter.cli import init
from adapter.exchange.config import load_config
from adapter.exchange.store_settings import store_keyring, store_url
from adapter.plugin.errors import AdapterError
from adapter.security import key_file
from adapter.security.keyring import Keyring
from adapter.store import migrations
from adapter.store.backup import backup, verify
from adapter.store.check import check, counts
from adapter.store.dialect import dialect_of
from adapter.store.restore import restore
from adapter.store.rotation import rewrap, uses
from adapter.store.store import Store
from tests.faults.dying import dies_at, steps
from tests.faults.platter import may_mount, platter, sync
from tests.faults.power import NOT_ALLOWED
from tests.integration.store.work import open_case, queue, receive

pytestmark = pytest.mark.skipif(not may_mount(), reason=NOT_ALLOWED)

CUTS = int(os.environ.get("ADAPTER_TEST_CUTS", "5"))
"""How many of a work's steps are tried, evenly over it; the last of them is its end."""


def address(folder: Path) -> str:
    return f"sqlite:///{folder}/store"


def opened(folder: Path, *, create: bool = False) -> Store:
    return Store.open(address(folder), Keyring.load("file:key", base=folder), create=create)


def small_store(folder: Path) -> dict[str, int]:
    """A store with its key; how many rows each table has."""
    folder.mkdir()
    (folder / "key").write_text(Keyring.generate().to_text())
    with closing(opened(folder, create=True)) as store:
        for n in range(3):
            store.write_now(lambda tx, n=n: receive(tx, str(n)))
            store.write_now(lambda tx: queue(tx, open_case(tx)))
        return store.read_now(counts)


def sound(folder: Path, rows: dict[str, int]) -> None:
    with closing(opened(folder)) as store:
        assert [each.name for each in check(store) if each.state == "fail"] == []
        assert store.read_now(counts) == rows


def refused(folder: Path) -> str | None:
    """Why the store cannot be opened; None if it can."""
    try:
        opened(folder).close()
    except AdapterError as error:
        return error.code
    return None


def through(
    prepare: Callable[[Path], object],
    work: Callable[[Path], object],
    look: Callable[[Path, bool], None],
) -> None:
    """Do a work up to some of its steps, each time on a folder of its own; cut the power; look.

    `look` is told whether the work had come to its end.
    """

    async def run() -> None:
        async with platter("32M") as disk:
            await asyncio.to_thread(prepare, disk.folder / "before")
            sync(disk.folder)
            shutil.copytree(disk.folder / "before", disk.folder / "counted")
            every = steps(lambda: work(disk.folder / "counted"))
            assert every > 1
            for at in sorted({every * n // (CUTS - 1) for n in range(CUTS)}):
                shutil.rmtree(disk.folder / "now", ignore_errors=True)
                shutil.copytree(disk.folder / "before", disk.folder / "now")
                sync(disk.folder)
                died = dies_at(lambda: work(disk.folder / "now"), at)
                assert died == (at < every)
                await disk.cut()
                await disk.restore()
                look(disk.folder / "now", not died)

    asyncio.run(run())


def test_a_rotation_of_the_keys() -> None:
    rows: list[dict[str, int]] = []

    def rotate(folder: Path) -> None:
        old = Keyring.load("file:key", base=folder)
        key_file.replace(folder / "key", old.rotated(), known=old)
        with closing(opened(folder)) as store:
            rewrap(store)
        new = Keyring.load("file:key", base=folder)
        key_file.replace(folder / "key", new.without(old.active), known=new)

    def look(folder: Path, done: bool) -> None:
        sound(folder, rows[0])
        with closing(opened(folder)) as store:
            (active, *_) = store.keys.keyring.ids
            if done:
                assert store.read_now(uses).keys() == {active}
                assert store.keys.keyring.ids == (active,)
        rotate(folder)  # it can be run again
        sound(folder, rows[0])

    through(lambda folder: rows.append(small_store(folder)), rotate, look)


def test_a_backup() -> None:
    rows: list[dict[str, int]] = []

    def make(folder: Path) -> None:
        with closing(opened(folder)) as store:
            backup(store, folder / "kept")

    def look(folder: Path, done: bool) -> None:
        if done or (folder / "kept").exists():
            keyring = Keyring.load("file:key", base=folder)
            assert verify(folder / "kept", keyring).counts == rows[0]
        else:
            make(folder)
        sound(folder, rows[0])

    through(lambda folder: rows.append(small_store(folder)), make, look)


def test_a_restore() -> None:
    rows: list[dict[str, int]] = []

    def prepare(folder: Path) -> None:
        rows.append(small_store(folder))
        with closing(opened(folder)) as store:
            backup(store, folder / "kept")
        for file in folder.glob("store*"):
            file.unlink()

    def work(folder: Path) -> None:
        restore(folder / "kept", address(folder), Keyring.load("file:key", base=folder))

    def look(folder: Path, done: bool) -> None:
        if not done and (why := refused(folder)):
            assert why in ("store.absent", "store.half-restored")
            work(folder)  # it can be run again
        sound(folder, rows[0])

    through(prepare, work, look)


def test_an_upgrade_of_the_tables() -> None:
    def prepare(folder: Path) -> None:
        folder.mkdir()
        (folder / "key").write_text(Keyring.generate().to_text())
        migrations.upgrade(dialect_of(address(folder)), "0001")

    def look(folder: Path, done: bool) -> None:
        stands = migrations.standing(dialect_of(address(folder)))
        assert stands == migrations.HEAD if done else stands in ("0001", migrations.HEAD)
        with closing(opened(folder)) as store:
            assert [each.name for each in check(store) if each.state == "fail"] == []

    through(prepare, lambda folder: migrations.upgrade(dialect_of(address(folder))), look)


def test_a_new_configuration() -> None:
    def work(folder: Path) -> None:
        init.write(folder, example=True, answers_port=9, smtp_port=9)
        init.make_store(folder / "adapter.toml")

    def look(folder: Path, done: bool) -> None:
        if not done and not (folder / "adapter.toml").exists():
            return  # nothing starts without it
        config = load_config(folder / "adapter.toml")
        with closing(Store.open(store_url(config), store_keyring(config))) as store:
            assert [each.name for each in check(store) if each.state == "fail"] == []

    through(lambda folder: folder.mkdir(), work, look)
