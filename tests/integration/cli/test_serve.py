"""`adapter serve` as its users meet it: started from the configuration that `init` writes."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.network

ADAPTER = [sys.executable, "-m", "adapter.cli"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop whose destinations (EMR, mail server) are both down."""
    folder = tmp_path_factory.mktemp("made") / "loop"
    subprocess.run(
        [*ADAPTER, "init", folder, "--example", "loop", "--json"], check=True, timeout=60
    )
    return folder


@pytest.fixture
def loop(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "loop"))


@pytest.fixture(scope="module")
def running(
    made: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, subprocess.Popen[str], dict[str, Any]]]:
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("running") / "loop"))
    process = subprocess.Popen(
        [*ADAPTER, "serve", "--config", folder / "adapter.toml", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        yield folder, process, json.loads(line)
    finally:
        process.kill()
        process.communicate()


def test_the_ready_line_is_the_contract_even_when_every_destination_is_down(
    running: tuple[Path, subprocess.Popen[str], dict[str, Any]],
) -> None:
    loop, process, ready = running
    assert set(ready) == {"event", "fhir", "portal", "listeners", "store", "pid"}
    assert ready["event"] == "ready"
    assert ready["pid"] == process.pid
    assert ready["portal"] is None
    assert ready["store"] == f"sqlite:///{loop / 'adapter.sqlite3'}"
    host, port = ready["listeners"]["clinic"].split(":")
    with socket.create_connection((host, int(port)), timeout=5):
        pass
    with urllib.request.urlopen(ready["fhir"] + "/metadata", timeout=10) as answer:
        assert json.load(answer)["resourceType"] == "CapabilityStatement"


def test_the_commands_read_the_store_while_the_service_runs(
    running: tuple[Path, subprocess.Popen[str], dict[str, Any]],
) -> None:
    loop, _, _ = running
    for command in (["referrals"], ["inbox"], ["deliveries"]):
        done = subprocess.run(
            [*ADAPTER, *command, "list", "--config", loop / "adapter.toml", "--json"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == []
    done = subprocess.run(
        [*ADAPTER, "sites", "list", "--config", loop / "adapter.toml", "--json"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert {row["site"]: row["state"] for row in json.loads(done.stdout)} == {
        "clinic": "ready",
        "agency": "ready",
    }


def test_sigterm_ends_it_with_0_within_10_seconds_and_nothing_more_on_stdout(
    running: tuple[Path, subprocess.Popen[str], dict[str, Any]],
) -> None:
    _, process, _ = running
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=15)
    assert time.monotonic() - started < 10
    assert process.returncode == 0
    assert out == ""


def test_sites_check_says_which_peer_is_down_and_exits_with_5(loop: Path) -> None:
    done = subprocess.run(
        [*ADAPTER, "sites", "check", "--config", loop / "adapter.toml", "--json"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    rows = json.loads(done.stdout)
    failed = [row for row in rows if row["state"] == "fail"]
    assert {row["site"] for row in failed} == {"clinic", "agency"}
    assert all(row["fix"] for row in failed)

    one = subprocess.run(
        [*ADAPTER, "sites", "check", "agency", "--config", loop / "adapter.toml", "--json"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert {row["site"] for row in json.loads(one.stdout)} == {"agency"}


def test_a_port_that_is_taken_exits_with_3_and_says_which(loop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = loop / "adapter.toml"
        file.write_text(file.read_text().replace("port = 0 ", f"port = {port} ", 1))
        done = subprocess.run(
            [*ADAPTER, "serve", "--config", file, "--json"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stdout == ""
    assert str(port) in done.stderr


def test_another_key_than_the_store_was_made_with_exits_with_3(loop: Path) -> None:
    key = loop / "adapter.key"
    other = loop.parent / "other"
    subprocess.run([*ADAPTER, "init", other, "--json"], check=True, timeout=60)
    key.write_text((other / "adapter.key").read_text())
    done = subprocess.run(
        [*ADAPTER, "referrals", "list", "--config", loop / "adapter.toml"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "keyring." in done.stderr


def test_a_store_that_cannot_be_reached_exits_with_4(loop: Path) -> None:
    (loop / "adapter.sqlite3").unlink()
    done = subprocess.run(
        [*ADAPTER, "referrals", "list", "--config", loop / "adapter.toml"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "store.absent" in done.stderr
