"""What a machine that watches the service sees: health, readiness, numbers, log, a clean stop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter import __version__
from adapter.cli import init
from adapter.security.keyring import Keyring
from tests.integration.loop.harness import exchange, referral

pytestmark = pytest.mark.network
SAMPLE = re.compile(r"^(?P<name>\w+)(\{(?P<labels>.*)\})? (?P<value>\S+)$")


class Running:
    """`adapter serve`, with its ready line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "adapter.cli", "serve", "--config",
                    folder / "adapter.toml", "--json",
                ],
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.base = self.ready["fhir"].removesuffix("/fhir")

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.base + path, headers=headers, timeout=10)

    def numbers(self) -> dict[str, float]:
        text = self.get("/metrics").text
        found = {}
        for line in text.splitlines():
            if (match := SAMPLE.match(line)) is not None:
                found[f"{match['name']}{{{match['labels'] or ''}}}"] = float(match["value"])
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    init.write(made, example=True, answers_port=9, smtp_port=9)
    return made


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    started = Running(folder)
    yield started
    started.process.kill()
    started.process.communicate()


def test_the_numbers_tell_what_came_and_what_waits(running: Running) -> None:
    asyncio.run(
        exchange(
            running.ready["listeners"]["clinic"],
            referral("R-1"),
            referral("R-1"),
            referral("R-2", control="R-1"),
            referral("R-3").replace("19500101", "not-a-date"),
        )
    )
    wanted = {
        'adapter_messages_total{outcome="accepted",site="clinic"}': 2,
        'adapter_messages_total{outcome="conflict",site="clinic"}': 1,
        'adapter_messages_total{outcome="quarantined",site="clinic"}': 1,
        "adapter_store_up{}": 1,
    }
    until = time.monotonic() + 15
    while True:
        found = running.numbers()
        if {name: found.get(name) for name in wanted} == wanted:
            break
        assert time.monotonic() < until, {name: found.get(name) for name in wanted}
        time.sleep(0.3)
    assert found['adapter_deliveries_total{outcome="queued",site="agency"}'] == 1
    assert found['adapter_deliveries_total{outcome="queued",site="clinic"}'] == 1  # what is wrong
    assert found["adapter_commit_seconds_count{}"] > 3
    assert any(name.startswith("adapter_site_state{") for name in found)


def test_every_count_is_there_from_zero_so_that_an_alert_sees_the_first(running: Running) -> None:
    found = running.numbers()
    for site in ("agency", "api", "clinic"):
        for outcome in ("accepted", "refused", "conflict", "quarantined"):
            assert found[f'adapter_messages_total{{outcome="{outcome}",site="{site}"}}'] == 0
        for outcome in ("queued", "delivered", "retry", "dead", "quarantined", "withheld"):
            assert found[f'adapter_deliveries_total{{outcome="{outcome}",site="{site}"}}'] == 0
    assert [name for name in found if "_created" in name] == []


def test_numbers_and_log_hold_nothing_about_a_person(running: Running) -> None:
    asyncio.run(
        exchange(
            running.ready["listeners"]["clinic"],
            referral("CANARY77", text="canary words"),
            referral("CANARY88").replace("19500101", "canary-date"),
            referral("CANARY99").replace("PID|", "PIX|"),
        )
    )
    running.get("/fhir/Patient?identifier=CANARY77")
    running.get("/fhir/Patient/CANARY77")
    time.sleep(2)
    seen = running.get("/metrics").text + running.log.read_text()
    assert "adapter_messages_total" in seen
    assert re.findall("canary|synthetic|lonely|19500101", seen, re.IGNORECASE) == []


def test_every_line_of_the_log_is_json(running: Running) -> None:
    asyncio.run(exchange(running.ready["listeners"]["clinic"], referral("R-1")))
    time.sleep(1.5)
    lines = running.log.read_text().splitlines()
    assert lines
    assert all({"event", "level", "timestamp"} <= set(json.loads(line)) for line in lines)


def test_a_start_says_whether_it_had_to_make_a_store(folder: Path) -> None:
    for made in (True, False):
        running = Running(folder)
        running.process.terminate()
        running.process.communicate()
        assert ("store.made" in running.log.read_text()) is made


def test_metrics_are_for_this_machine_unless_there_is_a_token(folder: Path) -> None:
    (folder / "metrics.token").write_text("synthetic-token\n")
    file = folder / "adapter.toml"
    line = 'metrics_token = "file:metrics.token"\n'
    running = Running(folder)
    try:
        assert running.get("/metrics").status_code == 200
        assert running.get("/metrics", **{"X-Forwarded-For": "192.0.2.1"}).status_code == 403
    finally:
        running.process.kill()
        running.process.communicate()
    file.write_text(file.read_text().replace("[server]\n", f"[server]\n{line}"))
    running = Running(folder)
    try:
        assert running.get("/metrics").status_code == 403
        assert running.get("/metrics", Authorization="Bearer wrong").status_code == 403
        right = {"Authorization": "Bearer synthetic-token", "X-Forwarded-For": "192.0.2.1"}
        assert running.get("/metrics", **right).status_code == 200
    finally:
        running.process.kill()
        running.process.communicate()


def test_it_is_not_ready_while_the_store_cannot_be_written_and_heals_by_itself(
    running: Running,
) -> None:
    assert running.get("/health/live").json() == {"status": "live"}
    assert running.get("/health").json() == {"status": "live"}
    assert running.get("/ready").status_code == 200
    assert running.get("/health/ready").status_code == 200
    holder = sqlite3.connect(running.folder / "adapter.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    time.sleep(1.1)
    answer = running.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    assert running.get("/health/live").status_code == 200
    assert running.numbers()["adapter_store_up{}"] == 1  # it can still be read
    holder.execute("ROLLBACK")
    holder.close()
    until = time.monotonic() + 15
    while running.get("/health/ready").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.5)
    key = running.folder / "adapter.key"
    kept = key.read_text()
    key.write_text(Keyring.generate().to_text())  # the next start could read nothing
    time.sleep(1.1)
    answer = running.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "keyring.not-kept")
    key.write_text(kept)
    time.sleep(1.1)
    assert running.get("/health/ready").status_code == 200


def test_a_stop_under_load_ends_within_ten_seconds_and_keeps_what_was_acknowledged(
    running: Running,
) -> None:
    acknowledged: list[str] = []

    async def sender(number: int) -> None:
        for count in range(1000):
            name = f"L{number}-{count}"
            try:
                (answer,) = await exchange(running.ready["listeners"]["clinic"], referral(name))
            except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError):
                return
            if str(answer.segment("MSA")[1]) == "AA":
                acknowledged.append(name)

    async def load() -> float:
        senders = [asyncio.create_task(sender(n)) for n in range(4)]
        await asyncio.sleep(2)
        started = time.monotonic()
        os.kill(running.process.pid, signal.SIGTERM)
        while running.process.poll() is None:
            assert time.monotonic() - started < 10
            await asyncio.sleep(0.05)
        took = time.monotonic() - started
        for each in senders:
            each.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
        return took

    assert asyncio.run(load()) < 10
    assert running.process.returncode == 0
    said = [json.loads(line) for line in running.log.read_text().splitlines()]
    events = [line["event"] for line in said]
    assert events[-1] == "service.stopped"
    assert events.count("service.stopping") == 1
    (started,) = [line for line in said if line["event"] == "service.started"]
    assert (started["version"], started["listeners"]) == (__version__, running.ready["listeners"])
    assert len(acknowledged) > 5
    done = subprocess.run(
        [
            sys.executable, "-m", "adapter.cli", "inbox", "list", "--json", "--config",
            running.folder / "adapter.toml",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    kept = {row["key"] for row in json.loads(done.stdout)}
    assert set(acknowledged) <= kept
