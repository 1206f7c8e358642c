"""Numbers for Prometheus: what happened, how much waits, how long a commit takes.

What happened is counted from the journal's lines after their commit, so that the numbers and the
journal cannot disagree. Labels are names of the configuration and words of ours: nothing about a
person, and no label that grows.
"""

from __future__ import annotations

import threading
import time
from collections import Counter as Counts
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adapter.plugin.errors import AdapterError
from adapter.store.session import Parameters
from adapter.store.standing import Standing, standing
from adapter.store.store import Store

disable_created_metrics()  # type: ignore[no-untyped-call]  # a gauge beside each counter, of when it was made

FRESH_SECONDS = 5.0
OTHER = "other"
MESSAGES = {
    f"message.{outcome}": outcome
    for outcome in ("accepted", "refused", "conflict", "quarantined", "replayed", "discarded")
}
DELIVERIES = {
    f"delivery.{outcome}": outcome
    for outcome in (
        "queued", "not-sent", "delivered", "retry", "dead", "quarantined", "withheld", "retried",
        "discarded",
    )
}  # fmt: skip
LANES = ("due", "waiting", "sending", "dead", "quarantined")
SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The numbers of one process."""

    def __init__(self, store: Store, sites: Iterable[str]) -> None:
        self._sites = frozenset(sites) | {"api"}
        self.registry = CollectorRegistry()
        self._messages = Counter(
            "adapter_messages",
            "Messages by what became of them; accepted ones were acknowledged.",
            ("site", "outcome"),
            registry=self.registry,
        )
        self._deliveries = Counter(
            "adapter_deliveries",
            "Deliveries by what became of them; retry counts the first failure of each.",
            ("site", "outcome"),
            registry=self.registry,
        )
        self._commit = Histogram(
            "adapter_commit_seconds",
            "How long a commit took until it was on the disk.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._works = Counter(
            "adapter_commit_works", "Works that were committed.", registry=self.registry
        )
        self._scrapes = threading.Lock()
        self.registry.register(_Waiting(store, self._sites))
        for site in sorted(self._sites):  # all from 0: an increase from nothing is none
            for outcome in MESSAGES.values():
                self._messages.labels(site, outcome)
            for outcome in DELIVERIES.values():
                self._deliveries.labels(site, outcome)
        store.observe(self.committed)

    def committed(self, seconds: float, works: int, told: Sequence[Parameters]) -> None:
        """One commit: its seconds, its works, its lines of the journal."""
        self._commit.observe(seconds)
        self._works.inc(works)
        for (site, kind), count in Counts((each["site"], each["kind"]) for each in told).items():
            if kind in MESSAGES:
                self._messages.labels(self._site(site), MESSAGES[kind]).inc(count)
            elif kind in DELIVERIES:
                self._deliveries.labels(self._site(site), DELIVERIES[kind]).inc(count)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it (text format 0.0.4)."""
        with self._scrapes:
            return generate_latest(self.registry)

    def _site(self, site: Any) -> str:
        return site if site in self._sites else OTHER


class _Waiting(Collector):
    """What waits and what is stuck, read from the store at most every few seconds."""

    def __init__(self, store: Store, sites: Iterable[str]) -> None:
        self._store = store
        self._sites = sorted(sites)
        self._found: Standing | None = None
        self._until = 0.0

    def collect(self) -> Iterator[Metric]:
        """The gauges; ``adapter_store_up`` alone where the store cannot be read."""
        up = GaugeMetricFamily("adapter_store_up", "1 while the store can be read.")
        found = self._standing()
        up.add_metric([], 0 if found is None else 1)
        yield up
        if found is None:
            return
        now = time.time()
        lanes = GaugeMetricFamily(
            "adapter_lanes", "Lanes (referral and destination) by state.", labels=["site", "state"]
        )
        oldest = GaugeMetricFamily(
            "adapter_oldest_due_lane_seconds",
            "For how long the oldest due lane has been due.",
            labels=["site"],
        )
        inbox = GaugeMetricFamily(
            "adapter_inbox_waiting", "Accepted messages not worked on yet.", labels=["site"]
        )
        state = GaugeMetricFamily(
            "adapter_site_state", "1 for the state that a site is in.", labels=["site", "state"]
        )
        for site in self._sites:
            for word in LANES:
                lanes.add_metric([site, word], found.lanes[site, word])
            since = found.due_since.get(site)
            oldest.add_metric([site], 0 if since is None else max(0.0, now - since.timestamp()))
            inbox.add_metric([site], found.inbox.get(site, 0))
            if site in found.sites:
                state.add_metric([site, found.sites[site]], 1)
        yield from (lanes, oldest, inbox, state)

    def describe(self) -> Iterator[Metric]:
        """Nothing: the store is not read before somebody asks."""
        yield from ()

    def _standing(self) -> Standing | None:
        if time.monotonic() >= self._until:
            try:
                self._found = self._store.read_now(standing)
            except AdapterError:
                self._found = None
            self._until = time.monotonic() + FRESH_SECONDS
        return self._found
