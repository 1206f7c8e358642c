"""Every test that takes `store` or `address` runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapter.security.keyring import Keyring
from adapter.store import migrations
from adapter.store.dialect import dialect_of
from adapter.store.store import Store
from tests.integration.store.postgres import Cluster, available, running_cluster


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **duration: float) -> datetime:
        self.at += timedelta(**duration)
        return self.at


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if not available():
        pytest.fail("PostgreSQL is missing: apt-get install postgresql")
    with running_cluster() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    started: Cluster = request.getfixturevalue("cluster")
    return started.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with tables and no rows: a copy, which costs less than to migrate each time."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "store.db")
        return f"sqlite:///{tmp_path}/store.db"
    started: Cluster = request.getfixturevalue("cluster")
    return started.new_database(template=request.getfixturevalue("migrated_database"))


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    migrations.upgrade(dialect_of(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_database(cluster: Cluster) -> str:
    address = cluster.new_database()
    migrations.upgrade(dialect_of(address))
    return address.rpartition("/")[2]


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.generate()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(address: str, keyring: Keyring, clock: Clock) -> Iterator[Store]:
    opened = Store.open(address, keyring, clock=clock)
    yield opened
    opened.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.network)
