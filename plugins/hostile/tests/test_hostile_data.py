"""The hostile plugin's data and server are what its name says, and differ from the example's."""

from __future__ import annotations

import asyncio
from itertools import count

import httpx
import orjson
import pytest

from adapter.plugin import DataError
from adapter_hostile.data import DATES, TEXTS, objects, raws
from adapter_hostile.format import HostileFormat
from adapter_hostile.server import TRICKS, HostileServer
from adapter_hostile.system import Hostile
from adapter_reference.system import Reference

FOLDERS = ("adapter_reference", "adapter_hostile")


def code_of(raw: bytes) -> str:
    """Empty if it can be read; else why not."""
    try:
        HostileFormat().parse(raw)
    except DataError as error:
        return error.code
    return ""


def test_every_nasty_message_is_read_or_refused_by_name() -> None:
    codes = [code_of(raw) for _, raw in raws()]
    assert set(codes) == {"", "reference.unreadable"}
    assert codes.count("") >= len(TEXTS) + len(DATES)
    assert codes.count("reference.unreadable") >= 10


def test_each_nasty_text_survives_json_unchanged() -> None:
    for name, value in objects():
        assert orjson.loads(orjson.dumps(value)) == value, name


ENDLESS = ("a bomb", "an endless drip")  # met in tests/integration/plugins/test_hostile.py


@pytest.mark.parametrize("trick", [each for each in TRICKS if each not in ENDLESS])
def test_a_trick_is_no_answer_that_a_poll_takes_for_one(trick: str) -> None:
    server = HostileServer(every=10_000)

    async def ask() -> httpx.Response:
        road = httpx.ASGITransport(server.app)
        async with httpx.AsyncClient(transport=road, base_url=server.base) as client:
            server._asked = count(list(TRICKS).index(trick) * 10_000 + 1)
            return await client.get("/outbox")

    answer = asyncio.run(ask())
    assert server.played == [trick]
    assert answer.status_code != 200 or not honest(answer)


def honest(answer: httpx.Response) -> bool:
    """Whether it is a page, with items that could be taken and no further page."""
    try:
        page = orjson.loads(answer.content)
        fine = all({"cursor", "message"} <= set(item) for item in page["items"])
        return fine and page["next"] is None and isinstance(page["items"][0]["cursor"], str)
    except (orjson.JSONDecodeError, TypeError, KeyError, IndexError):
        return False


def test_an_honest_page_comes_every_second_time() -> None:
    server = HostileServer(every=1)

    async def ask() -> httpx.Response:
        road = httpx.ASGITransport(server.app)
        async with httpx.AsyncClient(transport=road, base_url=server.base) as client:
            return await client.get("/outbox")

    answer = asyncio.run(ask())
    assert honest(answer)
    assert not server.played
    ids = [e["message"].get("id") for e in answer.json()["items"] if isinstance(e["message"], dict)]
    assert sum(str(each).startswith("h-10") for each in ids) >= server.good


def test_hostile_is_the_example_under_another_name() -> None:
    assert issubclass(Hostile, Reference)
    assert (Hostile.name, Hostile.capabilities.outbound_format) == ("hostile", "hostile")
    assert Reference.capabilities.outbound_format == "reference"


def test_its_tables_are_the_example_s_but_for_the_name_of_the_format() -> None:
    from importlib.resources import files

    theirs, ours = (
        (files(name) / "mappings" / name.partition("_")[2] / "messages.map.yaml").read_text("utf-8")
        for name in FOLDERS
    )
    assert ours == theirs.replace("format: reference", "format: hostile")
