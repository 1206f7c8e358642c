"""A person is erased while a delivery about them is being sent: nothing else waits for it."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from adapter.plugin.messages import Delivered, Outbound
from adapter.store.check import check
from adapter.store.erasure import erase
from adapter.store.store import Store
from tests.integration.cluster.test_holding import (
    Clock,
    Peer,
    clock,
    courier,
    held_store,
    running,
    until,
)
from tests.integration.cluster.test_lanes import add
from tests.integration.cluster.test_taking import asked
from tests.integration.store.work import open_case

__all__ = ["clock", "held_store"]


class Eraser(Peer):
    """Erases the first person that it hears of, before it has answered."""

    def __init__(self, store: Store) -> None:
        super().__init__(None)
        self._store = store

    async def deliver(self, message: Outbound) -> Delivered:
        if not self.tried:
            await asyncio.to_thread(
                erase, self._store, [message.referral], actor="privacy-officer", reason="asked"
            )
        return await super().deliver(message)


def test_it_is_said_plainly_and_the_others_go_on(held_store: Store, clock: Clock) -> None:
    store, peer = held_store, Eraser(held_store)
    gone, stays = store.write_now(lambda tx: (open_case(tx), open_case(tx)))

    def states() -> dict[str, str]:
        return {row.referral: row.state for row in store.read_now(lambda tx: tx.outbox.list())}

    async def work() -> None:
        store.write_now(lambda tx: add(tx, gone, 0))
        await until(lambda: states() == {gone: "discarded"})
        store.write_now(lambda tx: add(tx, stays, 0))
        await until(lambda: states().get(stays) == "delivered")

    with capture_logs() as logs:
        asyncio.run(running(courier(store, peer, clock), work))
    assert peer.tried == [gone, stays]
    assert states() == {gone: "discarded", stays: "delivered"}
    (said,) = [each for each in logs if each["log_level"] in ("warning", "error")]
    assert said["event"] == "delivery.closed-meanwhile"
    assert [each for each in check(store) if each.state == "fail"] == []
    assert jobs_of(store) == 0


def jobs_of(store: Store) -> int:
    """How many jobs there are still, on PostgreSQL."""
    if not store.shared:
        return 0
    ((count,),) = asked(store, "SELECT count(*) FROM procrastinate_jobs")
    return int(count)
