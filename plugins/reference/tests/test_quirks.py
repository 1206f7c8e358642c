"""A level 0 plugin: another peer's paths, words and folders, and no code."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.plugin import ConfigError, Outbound
from adapter_conformance.context import KitContext
from adapter_conformance.fakes.memory import MemoryClock
from adapter_reference.config import FilesConfig, ReferenceConfig
from adapter_reference.quirks import ApiQuirks, FolderQuirks, quirks_from
from adapter_reference.shared_folder import ReferenceFiles
from adapter_reference.system import Reference

MESSAGE = Outbound(
    id="0193-1", event="request", referral="r", created=MemoryClock().now(), body=b'{"id": "1"}'
)


class Peer(httpx.AsyncBaseTransport):
    """Answers everything, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(200, json={"id": "p-1", "items": []})


def test_paths_and_words_are_those_of_the_quirks() -> None:
    quirks = {
        "status": "health", "messages": "v1/in", "outbox": "v1/out", "key": "ref", "after": "since",
        "limit": "n", "idempotency_header": "X-Request-Id",
    }  # fmt: skip
    peer = Peer()
    config = ReferenceConfig(base_url="http://127.0.0.1:8099/api")
    context = KitContext(config, road=peer)
    system: Any = Reference.adapted("acme", quirks)

    async def everything() -> None:
        made = system(config, context)
        await made.check()
        await made.deliver(MESSAGE)
        await made.find(MESSAGE)
        assert [each async for each in made.poll("7")] == []

    asyncio.run(everything())

    assert system.name == "acme"
    assert [each.url.raw_path.decode() for each in peer.asked] == [
        "/api/health", "/api/v1/in", "/api/v1/in?ref=0193-1", "/api/v1/out?since=7&n=50",
    ]  # fmt: skip
    assert peer.asked[1].headers["X-Request-Id"] == "0193-1"
    assert "Idempotency-Key" not in peer.asked[1].headers


def folders(tmp_path: Path, **quirks: Any) -> Any:
    for name in (quirks.get("incoming", "in"), quirks.get("outgoing", "out")):
        (tmp_path / name).mkdir()
    config = FilesConfig(folder=tmp_path)
    system: Any = ReferenceFiles.adapted("acme", quirks)
    return system(config, KitContext(config, road=None))


def test_folders_and_endings_are_those_of_the_quirks(tmp_path: Path) -> None:
    made = folders(tmp_path, incoming="theirs", outgoing="ours", suffix=".referral.json")

    delivered = asyncio.run(made.deliver(MESSAGE))

    assert delivered.external_ids == {"file": "0193-1.referral.json"}
    assert (tmp_path / "ours" / "0193-1.referral.json").read_bytes() == MESSAGE.body
    assert asyncio.run(made.find(MESSAGE)) == delivered
    assert [each.state for each in asyncio.run(made.check())] == ["ok"]


def test_a_file_that_came_later_is_found_whatever_its_name_is(tmp_path: Path) -> None:
    made = folders(tmp_path)

    async def polled(cursor: str | None) -> list[tuple[str, str]]:
        return [(message.key, after) async for message, after in made.poll(cursor)]

    (tmp_path / "in" / "m-zebra.json").write_bytes(b"no message")
    [(key, cursor)] = asyncio.run(polled(None))
    partial = tmp_path / "in" / ".a.json"
    partial.write_bytes(b"no message either")
    os.utime(partial, (1, 1))  # the peer's tool keeps the time of the original
    assert asyncio.run(polled(cursor)) == []
    partial.rename(tmp_path / "in" / "a.json")

    assert key == "file-m-zebra.json"
    assert [key for key, _ in asyncio.run(polled(cursor))] == ["file-a.json"]


def test_a_clock_that_was_set_back_hides_no_file(tmp_path: Path) -> None:
    """A cursor of the time before would stand behind whatever comes until then."""
    made = folders(tmp_path)

    async def polled(cursor: str | None) -> list[tuple[str, str]]:
        return [(message.key, after) async for message, after in made.poll(cursor)]

    (tmp_path / "in" / "a.json").write_bytes(b"no message")
    [(_, cursor)] = asyncio.run(polled(None))
    assert asyncio.run(polled(cursor)) == []
    ahead = f"{int(cursor.partition(' ')[0]) + 3600 * 10**9:020d} from-the-future.json"
    assert [key for key, _ in asyncio.run(polled(ahead))] == ["file-a.json"]


@pytest.mark.parametrize("place", ["../x", "/etc", "a b", "", "x?y", "http://other/"])
@pytest.mark.parametrize("kind", [ApiQuirks, FolderQuirks])
def test_a_quirk_leads_nowhere_else(kind: Any, place: str) -> None:
    key = "messages" if kind is ApiQuirks else "incoming"
    with pytest.raises(ConfigError, match=key) as caught:
        quirks_from(kind, {key: place}, "acme")
    assert caught.value.code == "reference.quirks"


def test_quirks_that_nobody_knows_are_refused_and_all_are_in_the_readme() -> None:
    readme = Path(__file__).resolve().parents[1].joinpath("README.md").read_text("utf-8")
    for kind in (ApiQuirks, FolderQuirks):
        with pytest.raises(ConfigError, match="mesages"):
            quirks_from(kind, {"mesages": "x"}, "acme")
        for name, field in kind.model_fields.items():
            assert f"`{name}`" in readme
            assert field.description
