from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapter.exchange.audit_event import audit_event, read_by_operator
from adapter.exchange.whence import WHENCE, Located, Whence
from tests.unit.exchange.balp import problems

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@pytest.fixture
def from_afar() -> Iterator[None]:
    token = WHENCE.set(Whence("192.0.2.7", "req-1"))
    yield
    WHENCE.reset(token)


def made(action: Any = "R", entity: str = "Task/1", **more: Any) -> dict[str, Any]:
    return audit_event(action, entity, **{"actor": "link:0123", "site": "agency", "at": AT, **more})


@pytest.mark.parametrize("action", ["C", "R", "U", "D"])
@pytest.mark.parametrize("patient", [None, "p-1"])
def test_an_event_of_each_action_has_the_shape_of_its_pattern(
    action: Any, patient: str | None
) -> None:
    assert problems(made(action, patient=patient)) == []


def test_a_search_is_a_query_and_no_read() -> None:
    event = made("R", "Task")
    assert event["action"] == "E"
    assert problems(event) == []


def test_a_sites_own_system_is_the_requestor_where_no_person_is_behind_it() -> None:
    event = made("C", "ServiceRequest/1", actor="clinic", site="clinic")
    assert problems(event) == []
    assert len(event["agent"]) == 2


@pytest.mark.usefixtures("from_afar")
def test_the_network_and_the_request_id_are_those_of_the_request() -> None:
    event = made()
    assert problems(event) == []
    assert event["agent"][0]["network"] == {"address": "192.0.2.7", "type": "2"}
    assert event["entity"][-1]["what"] == {"identifier": {"value": "req-1"}}


def test_an_operators_export_says_what_was_taken() -> None:
    event = read_by_operator("AuditEvent", what="the audit, exported", at=AT)
    assert problems(event) == []
    assert event["entity"][0]["description"] == "the audit, exported"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda e: e.pop("outcome"),
        lambda e: e["agent"].pop(0),
        lambda e: e["agent"][1].pop("network"),
        lambda e: e["entity"].clear() or e.update(entity=[]),
        lambda e: e["subtype"].clear(),
        lambda e: e.update(action="C"),
        lambda e: e["agent"][0].update(requestor=True),
        lambda e: e["source"].pop("observer"),
    ],
)
def test_the_pattern_refuses_an_event_that_lacks_something(spoil: Any) -> None:
    event = copy.deepcopy(made())
    spoil(event)
    assert problems(event)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"3f2c-11_A", "3f2c-11_A"),
        (b"has spaces", None),
        (b"<script>", None),
        (b"x" * 65, None),
        (b"\xe9t\xe9", None),
    ],
)
def test_a_request_id_is_kept_only_if_it_is_plain_and_short(given: bytes, kept: str | None) -> None:
    seen: list[Whence | None] = []

    async def app(*_: Any) -> None:
        seen.append(WHENCE.get())

    scope = {"client": ("192.0.2.7", 1), "headers": [(b"x-request-id", given)]}
    asyncio.run(Located(app)(scope, None, None))
    assert seen == [Whence("192.0.2.7", kept)]
    assert WHENCE.get() is None
