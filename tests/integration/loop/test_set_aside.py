"""A message that the engine cannot use leaves nothing but its place in the quarantine."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapter.exchange import operations
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.plugin.errors import PluginError
from adapter.portal.pages import Pages
from adapter.security.keyring import Keyring
from adapter.store.errors import ErasedError, StoreFault
from adapter.store.inbox_row import InboxRow
from adapter.store.transaction import Transaction
from tests.integration.loop.harness import CONFIG, PROGRAMS, referral


@pytest.fixture
def service(tmp_path: Path) -> Service:
    text = CONFIG.format(http=0, mllp=0, emr=9, smtp=9, language="en")
    (tmp_path / "adapter.toml").write_text(text)
    (tmp_path / "programs.toml").write_text(PROGRAMS)
    (tmp_path / "adapter.key").write_text(Keyring.generate().to_text())
    return Service.open(load_config(tmp_path / "adapter.toml"), pages=Pages())


def received(service: Service, key: str = "1") -> InboxRow:
    return service.store.write_now(
        lambda tx: tx.inbox.add(
            organization=service.organization, site="clinic", key=key, format="hl7v2",
            kind="REF^I12", raw=referral("R-1").encode(),
        )
    )  # fmt: skip


def worked_on(service: Service, row: InboxRow) -> None:
    async def work() -> None:
        try:
            await service.workbench.one(row)
        finally:
            await service.stop(1.0)

    asyncio.run(work())


def reopened(service: Service) -> Service:
    return Service.open(service.config, pages=Pages())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("a fault of ours"), "engine.fault"),
        (PluginError("plugin.blocks", "the plugin took too long"), "plugin.blocks"),
        (ErasedError("store.erased", "This person was erased."), "store.erased"),
    ],
    ids=["fault of ours", "fault of a plugin", "an erased person"],
)
def test_what_was_written_before_the_failure_is_undone_and_the_sender_told(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    whole = service.engine._apply

    def halfway(*given: object) -> str:
        whole(*given)  # type: ignore[arg-type]
        raise error

    monkeypatch.setattr(service.engine, "_apply", halfway)
    worked_on(service, received(service))

    again = reopened(service)

    def look(tx: Transaction) -> None:
        (row,) = tx.inbox.list()
        assert (row.state, row.code) == ("quarantined", code)
        assert tx.cases.list() == []
        assert [(each.destination, each.event) for each in tx.outbox.list()] == [
            ("clinic", "error-answer")
        ]
        kinds = [each.kind for each in tx.journal.after(0, 100)]
        assert sorted(kinds) == ["delivery.queued", "message.quarantined"]

    again.store.read_now(look)
    asyncio.run(again.stop(1.0))


def test_news_about_an_erased_person_is_set_aside(service: Service) -> None:
    async def work() -> None:
        await service.workbench.one(received(service))
        (case,) = service.store.read_now(lambda tx: tx.cases.list())
        operations.erase_person(service.store, [case.id], "asked for")
        await service.workbench.one(received(service, "2"))
        await service.stop(1.0)

    asyncio.run(work())
    again = reopened(service)
    states = [(each.state, each.code) for each in again.store.read_now(lambda tx: tx.inbox.list())]
    assert states == [("accepted", None), ("quarantined", "referral.erased")]
    asyncio.run(again.stop(1.0))


def test_a_reply_that_cannot_be_made_does_not_bring_the_message_round_for_ever(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(service.engine, "_apply", broken)
    monkeypatch.setattr(service.engine.quarantine, "_tell_sender", broken)
    worked_on(service, received(service))

    again = reopened(service)
    (row,) = again.store.read_now(lambda tx: tx.inbox.list())
    assert (row.state, row.code) == ("quarantined", "engine.fault")
    asyncio.run(again.stop(1.0))


def test_trouble_of_the_store_quarantines_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: Transaction, __: InboxRow) -> None:
        raise StoreFault("store.full", "The disk is full.")

    monkeypatch.setattr(service.engine, "process", down)
    row = received(service)
    with pytest.raises(StoreFault):
        worked_on(service, row)

    again = reopened(service)
    assert again.store.read_now(lambda tx: tx.inbox.pending_sites()) == ["clinic"]
    asyncio.run(again.stop(1.0))


def flipped(service: Service, table: str, column: str, sequence: int) -> None:
    """One bit of a stored value is another one, past the adapter."""
    connection = service.store.dialect.connect(writer=True)
    where = f"FROM {table} WHERE sequence = {sequence}"
    (sealed,) = connection.execute(f"SELECT {column} {where}").fetchone()
    connection.execute(
        f"UPDATE {table} SET {column} = x'{(sealed[:-1] + bytes([sealed[-1] ^ 1])).hex()}' "
        f"WHERE sequence = {sequence}"
    )
    connection.close()


def test_a_message_whose_bytes_were_changed_is_set_aside_and_delays_no_other(
    service: Service,
) -> None:
    damaged, sound = received(service, "1"), received(service, "2")
    flipped(service, "inbox_bodies", "raw_sealed", damaged.sequence)

    async def work() -> None:
        try:
            assert await service.workbench.work() == 1
        finally:
            await service.stop(1.0)

    asyncio.run(work())
    after = reopened(service)
    rows = {row.id: row for row in after.store.read_now(lambda tx: tx.inbox.list())}
    assert (rows[damaged.id].state, rows[damaged.id].code) == ("quarantined", "store.changed")
    assert (rows[sound.id].state, rows[sound.id].processed) == ("accepted", True)
    after.store.close()


def test_a_delivery_whose_document_was_changed_is_set_aside_and_delays_no_other_lane(
    service: Service,
) -> None:
    worked_on(service, received(service, "1"))
    after = reopened(service)
    first, *others = after.store.read_now(lambda tx: tx.outbox.list())
    flipped(after, "outbox_bodies", "document_sealed", first.sequence)
    claimed = after.store.write_now(lambda tx: tx.outbox.claim_due(datetime.now(UTC), 10))
    assert [row.id for row in claimed] == [row.id for row in others]
    (damaged,) = after.store.read_now(lambda tx: tx.outbox.list(state="quarantined"))
    assert (damaged.id, damaged.code) == (first.id, "store.changed")
    after.store.close()
