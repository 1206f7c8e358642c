"""What is in a file beside the store outlives a power cut too: keys, deliveries, checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from adapter.cli import audit, init
from adapter.cli.scaffold import scaffold
from adapter.exchange.config import load_config
from adapter.exchange.store_settings import store_keyring
from adapter.plugin import durable_files
from adapter.security import key_file
from adapter.security.keyring import Keyring
from adapter.store.store import Store
from adapter_reference import folder as shared_folder
from tests.faults.platter import may_mount, platter, sync
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
    old = Keyring.generate()
    keyring = old.rotated()

    def make(folder: Path) -> None:
        (folder / "adapter.key").write_text(old.to_text())
        sync(folder)
        key_file.replace(folder / "adapter.key", keyring, known=old)

    def look(folder: Path) -> None:
        assert (folder / "adapter.key").read_text() == keyring.to_text()

    after_a_cut(make, look)


@mounts
def test_checkpoints_of_the_chains() -> None:
    def make(folder: Path) -> None:
        with closing(Store.open(f"sqlite:///{folder}/store", Keyring.generate())) as store:
            store.write_now(lambda tx: tx.audit.append({}, organization="clinic"))
            sync(folder)
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


@mounts
def test_a_delivery_whose_writer_died_before_it_was_sure() -> None:
    """It is found there, and therefore not written again."""

    def find(folder: Path) -> None:
        (folder / ".part").write_bytes(b"{}")
        sync(folder)
        (folder / ".part").rename(folder / "1.json")
        assert shared_folder.exists(folder, "1.json")

    def look(folder: Path) -> None:
        assert [each.name for each in folder.iterdir() if each.is_file()] == ["1.json"]

    after_a_cut(find, look)


@mounts
def test_an_export_of_the_audit_and_what_is_made_from_templates() -> None:
    def make(folder: Path) -> None:
        with audit._sink(folder / "events") as sink:
            sink.write(b"{}\n")
        scaffold.write(
            scaffold.Choice(name="acme-emr", transport="rest", auth="none", level=1),
            folder / "far" / "away",
        )

    def look(folder: Path) -> None:
        assert (folder / "events").read_bytes() == b"{}\n"
        assert (folder / "far" / "away" / "acme-emr" / "pyproject.toml").read_bytes()

    after_a_cut(make, look)


def test_two_who_write_the_same_file_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "same"
    with durable_files.writing(file) as slow:
        slow.write(b"slo")
        durable_files.write(file, b"quick")
        assert file.read_bytes() == b"quick"
        slow.write(b"w")
    assert file.read_bytes() == b"slow"


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    durable_files.write(file, b"before")
    with pytest.raises(OSError, match="kept'"), durable_files.writing(tmp_path / "no" / "kept"):
        pass
    with pytest.raises(TypeError):
        durable_files.write(file, "no bytes")  # type: ignore[arg-type]
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]


def test_permissions_are_those_that_were_asked_for(tmp_path: Path) -> None:
    durable_files.write(tmp_path / "key", b"", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
