"""A PostgreSQL of these tests' own, and worker processes on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapter.security.keyring import Keyring
from adapter.store.store import Store
from tests.integration.store.postgres import Cluster, available, running_cluster

ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if not available():
        pytest.fail("PostgreSQL is missing: apt-get install postgresql")
    with running_cluster() as started:
        yield started


@pytest.fixture
def address(cluster: Cluster) -> str:
    return cluster.new_database()


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.generate()


@pytest.fixture
def store(address: str, keyring: Keyring) -> Iterator[Store]:
    opened = Store.open(address, keyring)
    yield opened
    opened.close()


@pytest.fixture
def effects(tmp_path: Path) -> Path:
    return tmp_path / "effects"


@pytest.fixture
def start(address: str, keyring: Keyring, effects: Path) -> Iterator[Start]:
    """Start a worker process whose deliveries take so many seconds."""
    started: list[subprocess.Popen[str]] = []

    def one(seconds: float = 0.01) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "tests.integration.cluster.lane_worker",
                address, keyring.to_text(), str(effects), str(seconds),
            ],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield one
    for process in started:
        process.kill()
        process.communicate()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.network)
