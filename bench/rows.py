"""The work that is measured: the adapter's own road, on the REF^I12 that the repository ships."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import orjson
from limits import typical

from adapter.cli import init, logs
from adapter.cli.demonstration import messages
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.plugin.formats import Settings
from adapter.portal.pages import Pages
from adapter.referral.identity import assign_ids
from adapter.store.inbox_row import InboxRow

MESSAGE = "ref-i12-20-segments.hl7"
SITE = "clinic"
TIMEZONE = "America/Toronto"


class Road:
    """A service on a store of its own, with nothing listening and nothing delivered."""

    def __init__(self, folder: Path) -> None:
        logs.configure(json=True, level="ERROR")
        self.folder = folder
        self._others: list[Service] = []
        init.write(folder, example=True, answers_port=9, smtp_port=9)
        config = load_config(folder / "adapter.toml")
        self.service = Service.open(config, pages=Pages())
        self.message = messages.shipped(MESSAGE)
        self.loop = asyncio.new_event_loop()
        self.hl7v2 = self.service.formats["hl7v2"]
        self.packs = self.service.packs
        self.settings = Settings(site=SITE, timezone=TIMEZONE)

    def close(self) -> None:
        """Let go of every store."""
        for each in self._others:
            self.loop.run_until_complete(each.stop(0.1))
        self.loop.run_until_complete(self.service.stop(0.1))
        self.loop.close()

    def also_close(self, service: Service) -> None:
        """Close another service with this one."""
        self._others.append(service)

    def bundle(self) -> bytes:
        """The output Bundle: what the limits are measured on."""
        return self.read_map_dump(self.message.encode())

    def read_map_dump(self, raw: bytes) -> bytes:
        """Bytes of a message to bytes of a Bundle, through both tables."""
        tree = self.hl7v2.parse(raw)
        document = self.packs.pick("hl7v2", tree).to_right(tree, self.settings).document
        assign_ids(document, SITE)
        made = self.packs.find("fhir", "Bundle").to_left(document, self.settings)
        return orjson.dumps(made.tree)

    def alone(self, times: int) -> float:
        """Seconds of read, map and dump."""
        raw = self.message.encode()
        return typical(lambda _: self.read_map_dump(raw), times)

    def received(self, count: int) -> list[InboxRow]:
        """New messages of other referrals, received and waiting; not measured here."""
        fresh = [messages.renewed(self.message).encode() for _ in range(count)]
        store, organization = self.service.store, self.service.config.organization
        return store.write_now(
            lambda tx: [
                tx.inbox.add(
                    organization=organization,
                    site=SITE,
                    key=messages.get(raw.decode(), "MSH", 10),
                    format="hl7v2",
                    kind="REF^I12",
                    raw=raw,
                )
                for raw in fresh
            ]
        )

    def one_at_a_time(self, times: int) -> float:
        """Seconds from a received message to its durable commit: read, map, check, journal."""
        rows = self.received(times)
        return self.loop.run_until_complete(self._each(rows))

    def in_flight(self, times: int, together: int = 32) -> float:
        """The same per message, with so many at once that share their commits."""
        rows = self.received(times)
        return self.loop.run_until_complete(self._groups(rows, together))

    async def _each(self, rows: list[InboxRow]) -> float:
        return statistics.median([await self._timed([row]) for row in rows])

    async def _groups(self, rows: list[InboxRow], together: int) -> float:
        groups = [rows[start : start + together] for start in range(0, len(rows), together)]
        return statistics.median([await self._timed(group) for group in groups]) / together

    async def _timed(self, rows: list[InboxRow]) -> float:
        started = time.perf_counter()
        await asyncio.gather(*map(self.process, rows))
        return time.perf_counter() - started

    async def process(self, row: InboxRow) -> None:
        """Carry one received message through, to its durable commit."""
        done = await self.service.store.write(lambda tx: self.service.engine.process(tx, row))
        if done.state != "processed":
            raise RuntimeError(f"the message was {done.state}, not processed")
