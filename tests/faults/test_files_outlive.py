"""What is in a file beside the store outlives a power cut too: keys, deliveries, checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from adapter.cli import audit, init
from adapter.exchange.config import load_config
from adapter.exchange.store_settings import store_keyring
from adapter.plugin import durable_files
from adapter.security import key_file
from adapter.security.keyring import Keyring
from adapter.store.store import Store
from adapter_reference import folder as shared_folder
from tests.faults.platter import command, may_mount, platter
from tests.faults.power import NOT_ALLOWED

mounts = pytest.mark.skipif(not may_mount(), reason=NOT_ALLOWED)


def after_a_cut(before: Callable[[Path], object], after: Callable[[Path], object]) -> None:
    """Do one thing, cut the power, and see in the folder that it was done."""

    async def run() -> None:
        async with platter("16M") as disk:
            await asyncio.to_thread(before, disk.folder)
            await disk.cut()
            await disk.restore()
            await asyncio.to_thread(after, disk.folder)

    asyncio.run(run())


@mounts
def test_a_new_configuration_and_its_key() -> None:
    keys: list[str] = []

    def make(folder: Path) -> None:
        (folder / "clinic").mkdir()
        init.write(folder / "clinic", example=True, answers_port=9, smtp_port=9)
        keys.append(store_keyring(load_config(folder / "clinic" / "adapter.toml")).to_text())

    def look(folder: Path) -> None:
        config = load_config(folder / "clinic" / "adapter.toml")
        assert store_keyring(config).to_text() == keys[0]

    after_a_cut(make, look)


@mounts
def test_a_key_that_was_rotated() -> None:
    keyring = Keyring.generate()

    def make(folder: Path) -> None:
        (folder / "adapter.key").write_text("the old one")
        command("sync")
        key_file.replace(folder / "adapter.key", keyring)

    def look(folder: Path) -> None:
        assert (folder / "adapter.key").read_text() == keyring.to_text()

    after_a_cut(make, look)


@mounts
def test_checkpoints_of_the_chains() -> None:
    def make(folder: Path) -> None:
        with closing(Store.open(f"sqlite:///{folder}/store", Keyring.generate())) as store:
            store.write_now(lambda tx: tx.audit.append({}, organization="clinic"))
            command("sync")
            audit._append(store, folder / "checkpoints")
            assert (folder / "checkpoints").read_bytes()
            lines.append((folder / "checkpoints").read_bytes())

    def look(folder: Path) -> None:
        assert (folder / "checkpoints").read_bytes() == lines[0]

    lines: list[bytes] = []
    after_a_cut(make, look)


@mounts
def test_a_delivery_into_a_shared_folder() -> None:
    def look(folder: Path) -> None:
        assert [each.name for each in folder.glob("*.json")] == ["1.json"]
        assert (folder / "1.json").read_bytes() == b"{}"

    after_a_cut(lambda folder: shared_folder.write(folder, "1.json", b"{}"), look)


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    durable_files.write(file, b"before")
    (tmp_path / ".kept").mkdir()  # in the way
    with pytest.raises(OSError, match="kept"):
        durable_files.write(file, b"after")
    assert file.read_bytes() == b"before"


def test_permissions_are_those_that_were_asked_for(tmp_path: Path) -> None:
    durable_files.write(tmp_path / "key", b"", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
