"""A directory is asked in a real service; no fault of it loses the last list of programs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapter.cli.programs import app as programs_app
from adapter.cli.sites import app as sites_app
from adapter.exchange import queries, rounds
from adapter.exchange.service import Service
from adapter_conformance.fakes.rest_host import RestHost
from adapter_conformance.fakes.serving import beside
from adapter_hostile.data import program
from adapter_hostile.server import LISTS, HostileServer
from tests.integration.polling.stage import configured, running, until
from tests.integration.store.postgres import Cluster, available, running_cluster

pytestmark = [pytest.mark.anyio, pytest.mark.network]
SITE = """
[sites.dir]
system = "{system}"
role = "directory"
organization = "Synthetic directory"
test = true
directory_seconds = 1
[sites.dir.settings]
base_url = "{base}/api"
http = {{ retries = 0, total_timeout = 2, timeout = 1 }}
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that failed is asked again at once, so that a test need not wait."""
    monkeypatch.setattr(rounds, "BACKOFF", (0.05,))


def listing(*rooms: str | None) -> list[dict[str, Any]]:
    """Programs p-1, p-2 … of a club that has no site here."""
    return [
        program(f"p-{number}", **({"room": {"status": room}} if room else {}))
        for number, room in enumerate(rooms, 1)
    ]


def with_directory(folder: Path, base: str, system: str = "reference", **more: Any) -> Path:
    file = configured(folder, base, **more)
    text = file.read_text("utf-8").replace('["reference"]', '["reference", "hostile"]')
    file.write_text(text + SITE.format(base=base, system=system), "utf-8")
    return file


@asynccontextmanager
async def hosted(host: RestHost) -> AsyncIterator[None]:
    async with beside(host.app) as host.base:
        yield


def capacities(service: Service) -> dict[str, str | None]:
    return {each.id: each.capacity for each in service.programs.all}


def standing(service: Service) -> Any:
    return service.store.read_now(lambda tx: tx.directories.get("dir"))


async def test_programs_and_their_room_are_read_over_several_pages_and_follow_the_directory(
    tmp_path: Path,
) -> None:
    host = RestHost(programs=listing("full", "list", "free", None, "ask"))
    async with hosted(host), running(with_directory(tmp_path, host.base)) as service:
        await until(lambda: len(service.programs) == 5)
        assert capacities(service) == {
            "dir/p-1": "full", "dir/p-2": "waitlist", "dir/p-3": "open", "dir/p-4": None,
            "dir/p-5": "ask-first",
        }  # fmt: skip
        host.programs = listing("free", "list")
        await until(lambda: len(service.programs) == 2)
        assert capacities(service) == {"dir/p-1": "open", "dir/p-2": "waitlist"}
        rows = service.store.read_now(lambda tx: tx.polls.list())
        assert [each.site for each in rows] == ["north"]  # no referral passes by a directory


@pytest.mark.parametrize("fault", ["unavailable", "unauthorized", "gone", "login-page", "cut-off"])
async def test_a_fault_leaves_the_last_list_and_says_since_when_and_why(
    fault: str, tmp_path: Path
) -> None:
    host = RestHost(programs=listing("full", None, "free"))
    async with hosted(host), running(with_directory(tmp_path, host.base)) as service:
        await until(lambda: len(service.programs) == 3)
        was = capacities(service)
        host.fail_next(*[fault] * 50)
        await until(lambda: standing(service).code)

        assert capacities(service) == was
        row = service.store.read_now(queries.sites)["dir"]
        assert row["programs_error"]
        assert row["programs_at"] == row["capacity_at"]
        assert row["state"] == "ready"
        said = CliRunner().invoke(
            sites_app, ["show", "dir", "--config", str(tmp_path / "adapter.toml")]
        )
        assert row["programs_error"] in said.output
        kinds = [e.kind for e in service.store.read_now(lambda tx: tx.journal.after(0, 1000))]
        assert kinds.count("directory.failed") == 1


async def test_where_only_the_room_cannot_be_read_the_list_is_new_and_the_room_the_last_one(
    tmp_path: Path,
) -> None:
    host = RestHost(programs=listing("full", "free"))
    async with hosted(host), running(with_directory(tmp_path, host.base)) as service:
        await until(lambda: len(service.programs) == 2)
        at = standing(service).reported_at
        host.programs = [*listing("full", "free"), program("p-3", room={"status": "sideways"})]
        await until(lambda: len(service.programs) == 3)

        assert capacities(service) == {"dir/p-1": "full", "dir/p-2": "open", "dir/p-3": None}
        await until(lambda: standing(service).code == "reference.programs")
        assert standing(service).reported_at == at
        assert standing(service).listed_at > at


async def test_a_directory_that_is_suddenly_empty_is_not_believed(tmp_path: Path) -> None:
    host = RestHost(programs=listing("free", "free"))
    async with hosted(host), running(with_directory(tmp_path, host.base)) as service:
        await until(lambda: len(service.programs) == 2)
        host.programs = []
        await until(lambda: standing(service).code == "directory.empty")
        assert len(service.programs) == 2
        host.programs = listing("full")
        await until(lambda: len(service.programs) == 1)
        assert standing(service).error is None


async def test_the_last_list_stands_after_a_restart_while_the_directory_is_down(
    tmp_path: Path,
) -> None:
    host = RestHost(programs=listing("full", "free"))
    async with hosted(host):
        file = with_directory(tmp_path, host.base)
        async with running(file) as service:
            await until(lambda: len(service.programs) == 2)
        host.fail_next(*["unavailable"] * 500)
        async with running(file) as service:
            assert capacities(service) == {"dir/p-1": "full", "dir/p-2": "open"}
    told = CliRunner().invoke(programs_app, ["list", "--json", "--config", str(file)])
    assert '"id":"dir/p-1"' in told.stdout
    shown = CliRunner().invoke(programs_app, ["show", "dir/p-1", "--config", str(file)])
    assert "full" in shown.stdout


async def test_every_list_of_a_hostile_directory_leaves_the_last_good_one_and_other_sites_alone(
    tmp_path: Path,
) -> None:
    bad = HostileServer(drip_seconds=0.1)
    async with beside(bad.app) as bad.base:
        file = with_directory(tmp_path, bad.base, "hostile")
        file.write_text(file.read_text("utf-8").replace(f'"{bad.base}/api"', f'"{bad.base}"'))
        async with running(file) as service:
            await until(lambda: "dir/good-1" in service.programs, patience=60)
            played = {each for each in bad.played if each.startswith("list: ")}

            assert played == {f"list: {name}" for name in LISTS}
            assert set(capacities(service).values()) <= {None, "full"}
            assert all(len(name) <= 300 for p in service.programs.all for name in p.name.values())
            north = service.store.read_now(lambda tx: tx.sites.get("north"))
            assert north is not None


async def test_a_system_that_lists_nothing_is_told_so_and_start_up_goes_on(tmp_path: Path) -> None:
    host = RestHost()
    async with hosted(host):
        file = with_directory(tmp_path, host.base)
        folder = tmp_path / "shared"
        for name in ("in", "out"):
            (folder / name).mkdir(parents=True)
        text = file.read_text("utf-8").partition("[sites.dir]")[0]
        table = (
            '[sites.dir]\nsystem = "reference-files"\nrole = "directory"\ntest = true\n'
            'organization = "Synthetic"\n[sites.dir.settings]\n' + f'folder = "{folder}"\n'
        )
        file.write_text(text + table, "utf-8")
        async with running(file) as service:
            await until(lambda: (row := standing(service)) and row.code == "directory.cannot")
            assert "neither lists programs" in standing(service).error


async def test_what_a_round_read_is_stored_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = RestHost(programs=listing("full", "free"))
    async with hosted(host), running(with_directory(tmp_path, host.base)) as service:
        await until(lambda: len(service.programs) == 2)
        keep = type(service.directories)._keep

        def breaks(*given: Any, **more: Any) -> None:
            keep(*given, **more)
            raise RuntimeError("synthetic")

        monkeypatch.setattr(type(service.directories), "_keep", breaks)
        host.programs = listing("free", "free", "free")
        await until(lambda: standing(service).code == "plugin.raised")
        rows = service.store.read_now(lambda tx: tx.directories.programs("dir"))
        assert [each.capacity["status"] for each in rows if each.capacity] == ["full", "open"]


async def test_a_service_stops_in_time_while_its_directory_drips(tmp_path: Path) -> None:
    host = RestHost(programs=listing("full"), slow_seconds=5.0)
    async with hosted(host):
        host.fail_next(*["slow-start"] * 9)
        async with running(with_directory(tmp_path, host.base)):
            await asyncio.sleep(0.2)
            started = time.monotonic()
        assert time.monotonic() - started < 5.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not available():
        pytest.fail("PostgreSQL is missing: apt-get install postgresql")
    with running_cluster() as started:
        yield started


async def test_on_postgresql_one_process_asks_and_all_choose_among_the_same_programs(
    tmp_path: Path, cluster: Cluster
) -> None:
    host = RestHost(programs=listing("full", "free", None))
    async with hosted(host):
        file = with_directory(tmp_path, host.base, url=cluster.new_database())
        async with running(file) as one, running(file) as two:
            await until(lambda: len(one.programs) == len(two.programs) == 3)
            host.programs = listing("free", "full", None)
            await until(
                lambda: (
                    capacities(one) == capacities(two)
                    and one.programs["dir/p-2"].capacity == "full"
                )
            )
            organizations = one.store.read_now(lambda tx: tx.session.rows(_organizations(), {}))
            assert {each[0] for each in organizations} == {one.organization}


def _organizations() -> Any:
    import sqlalchemy as sa

    from adapter.store import schema
    from adapter.store.statement import Statement

    return Statement(sa.select(schema.listed_programs.c.organization))
