"""Every status to every status over HTTP.

With ``auth = "open"`` the caller acts as whichever party may make the move, so that a move is
allowed exactly when the table allows it to one of the two; the journal says to which. What the
other party may not do cannot be asked in this mode: the room's own matrix asks it.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter.exchange.service import Service
from adapter.referral.lifecycle import ACTORS, STATUSES, lifecycle
from tests.unit.api import people

pytestmark = pytest.mark.anyio
TABLE = lifecycle()
ROADS: dict[str, tuple[str, ...]] = {
    "draft": (),
    "requested": (),
    "accepted": ("accepted",),
    "rejected": ("rejected",),
    "cancelled": ("cancelled",),
    "in-progress": ("accepted", "in-progress"),
    "on-hold": ("accepted", "on-hold"),
    "failed": ("accepted", "failed"),
    "completed": ("accepted", "completed"),
    "entered-in-error": ("entered-in-error",),
}
"""How a Task comes to each status that the guide uses; received and ready are never reached."""


async def put(api: httpx.AsyncClient, task: dict[str, Any], status: str) -> httpx.Response:
    """The Task with another status, and what that status needs."""
    more: dict[str, Any] = {"status": status, "statusReason": {"text": "for the test"}}
    if status == "completed" and not task.get("output"):
        more["output"] = [people.summary()]
    return await api.put(f"/Task/{task['id']}", json=task | more)


async def role_of_last(service: Service, referral: str, status: str) -> str:
    """As whom the last move to a status was made."""
    lines = await service.store.read(lambda tx: tx.journal.of(referral))
    moved = [each for each in lines if each.kind == f"fulfilment.{status}"][-1]
    role: str = moved.data["role"]
    return role


@pytest.mark.parametrize("before", ROADS)
async def test_every_move_is_done_or_refused_as_the_table_says(
    api: httpx.AsyncClient, service: Service, before: str
) -> None:
    for after in STATUSES:
        _, asked, task = await people.referral(
            api, f"{before}-{after}", "draft" if before == "draft" else "requested"
        )
        for step in ROADS[before]:
            task = (await put(api, task, step)).json()
        assert task["status"] == before
        answer = await put(api, task, after)
        wanted = TABLE.normal(after)
        allowed = [actor for actor in ACTORS if TABLE.allows(before, wanted, actor)]
        if wanted == before:
            assert answer.status_code == 200
        elif allowed:
            assert answer.status_code == 200, (before, after, answer.text)
            assert answer.json()["status"] == wanted
            assert await role_of_last(service, asked["id"], wanted) == allowed[0]
        else:
            assert answer.status_code == 409, (before, after, answer.text)
            said = answer.json()["issue"][0]["diagnostics"]
            for actor in ACTORS:
                assert all(choice in said for choice in TABLE.choices(before, actor))
            now = (await api.get(f"/Task/{task['id']}")).json()
            assert now == task


@pytest.mark.parametrize("status", [s for s in STATUSES if TABLE.normal(s) not in TABLE.initial])
async def test_a_task_is_not_born_in_another_status(api: httpx.AsyncClient, status: str) -> None:
    person = (await api.post("/Patient", json=people.patient())).json()
    subject = f"Patient/{person['id']}"
    asked = (await api.post("/ServiceRequest", json=people.request(subject))).json()
    task = people.task(f"ServiceRequest/{asked['id']}", subject, status=status)
    assert (await api.post("/Task", json=task)).status_code == 409
