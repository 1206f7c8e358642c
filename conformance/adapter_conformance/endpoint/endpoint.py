"""What the checks of an endpoint work with: two parties' clients, and referrals that they make."""

from __future__ import annotations

import contextlib
import secrets as randomness
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from adapter_conformance.endpoint.client import Answer, Client
from adapter_conformance.endpoint.people import People, activity, because, parties
from adapter_conformance.requirement import Failed

Json = dict[str, Any]
Role = Literal["source", "target", "intermediary"]
ROLES: tuple[Role, ...] = ("source", "target", "intermediary")
PATHS: dict[str, tuple[str, ...]] = {
    "draft": (),
    "requested": (),
    "accepted": ("accepted",),
    "rejected": ("rejected",),
    "cancelled": ("cancelled",),
    "in-progress": ("accepted", "in-progress"),
    "on-hold": ("accepted", "on-hold"),
    "completed": ("accepted", "completed"),
    "failed": ("accepted", "failed"),
    "entered-in-error": ("entered-in-error",),
}
"""How a new Task comes to each status by legal moves."""
PASSES = 3
REQUESTER_SETS = ("draft", "requested", "cancelled", "entered-in-error")


@dataclass(frozen=True, slots=True)
class Made:
    """A referral at the endpoint; `task` is as it was answered last."""

    patient: str
    request: str
    task: Json

    @property
    def path(self) -> str:
        """The Task's."""
        return f"Task/{self.task['id']}"


class Endpoint:
    """The endpoint under examination.

    Attributes:
        role: what it is in a referral.
        source, target: the clients of the two parties; one client where one token does for both.
        has_token: True if the clients show one, so that the endpoint can be held to be closed.
        left: how many resources of this run the server did not let us delete.
    """

    def __init__(self, role: Role, source: Client, target: Client | None = None) -> None:
        self.role: Role = role
        self.source = source
        self.target = target or source
        self.run = f"kit-{randomness.token_hex(4)}"
        self.people = People(self.run)
        self.has_token = False
        self.left = 0
        self._kept: dict[str, Any] = {}

    @property
    def on_loopback(self) -> bool:
        """True if it can reach this machine by the loopback address."""
        return urlsplit(self.source.base).hostname in ("127.0.0.1", "localhost", "::1")

    @property
    def client(self) -> Client:
        """The party that the kit is for: the target against a source, else the source."""
        return self.target if self.role == "source" else self.source

    @property
    def apart(self) -> bool:
        """True if each party has a client of its own, so that each sees its own Tasks alone."""
        return self.target is not self.source

    def parties(self, *, claimed: bool = True) -> Json:
        """What a Task says of its parties, where they are apart."""
        return parties(claimed=claimed) if self.apart else {}

    async def capability(self) -> Json:
        """The CapabilityStatement, asked for once."""
        if "capability" not in self._kept:
            answer = await self.source.get("metadata")
            if answer.status != 200:
                raise Failed(f"GET /metadata gave {answer.status}, not 200")
            self._kept["capability"] = answer.resource
        found: Json = self._kept["capability"]
        return found

    async def declared(self, kind: str) -> Json:
        """What the CapabilityStatement says of a type; nothing where it does not name it."""
        for rest in (await self.capability()).get("rest", ()):
            for each in rest.get("resource", ()):
                if each.get("type") == kind:
                    found: Json = each
                    return found
        return {}

    async def patient(self) -> str:
        """The reference of the invented client, made once."""
        return await self._shared("patient", self.people.patient())

    async def agency(self) -> str:
        """The reference of the invented agency, made once."""
        return await self._shared("agency", self.people.organization("agency"))

    async def clinic(self) -> str:
        """The reference of the invented clinic, made once."""
        return await self._shared("clinic", self.people.organization("clinic"))

    async def _shared(self, key: str, resource: Json) -> str:
        if key not in self._kept:
            made = await self.source.made_one(resource)
            self._kept[key] = f"{made['resourceType']}/{made['id']}"
        reference: str = self._kept[key]
        return reference

    async def asked(self, **more: Any) -> str:
        """The reference of a new ServiceRequest."""
        made = await self.source.made_one(self.people.request(await self.patient(), **more))
        return f"ServiceRequest/{made['id']}"

    async def referral(
        self,
        status: str = "requested",
        request: str | None = None,
        *,
        open_to_all: bool = False,
        **more: Any,
    ) -> Made:
        """A new referral whose Task has come to `status` by legal moves.

        Between two clients it names both parties, so that each sees it; `open_to_all` leaves out
        the owner, and names who may claim it.

        Raises:
            Failed: a step of it was refused.
        """
        patient = await self.patient()
        request = request or await self.asked()
        start = "draft" if status == "draft" else "requested"
        more = self.parties(claimed=not open_to_all) | more
        task = await self.source.made_one(self.people.task(request, patient, start, **more))
        made = Made(patient, request, task)
        for step in PATHS[status]:
            made = await self.moved(made, step)
        return made

    async def moved(self, made: Made, status: str, **more: Any) -> Made:
        """The referral after a legal move.

        Raises:
            Failed: it was refused.
        """
        answer = await self.move(made, status, **more)
        if answer.status != 200:
            raise Failed(f"{made.task['status']} to {status} gave {answer.status}, not 200")
        now = await self.client.read(made.path)
        if now.get("status") != status:
            raise Failed(f"after a PUT of {status} the Task is {now.get('status')}")
        return Made(made.patient, made.request, now)

    async def move(self, made: Made, status: str, **more: Any) -> Answer:
        """Ask for a move, as the party that makes it."""
        content: Json = {**made.task, "status": status, **because(status), **more}
        if status == "completed" and not content.get("output"):
            content["output"] = [activity(await self.done(made))]
        by = self.source if status in REQUESTER_SETS else self.target
        return await by.put(content)

    async def done(self, made: Made) -> str:
        """The reference of a Procedure that the target did for a referral."""
        procedure = self.people.procedure(made.patient, made.request)
        kept = await self.target.made_one(procedure)
        return f"Procedure/{kept['id']}"

    async def refused(
        self, answer: Answer, what: str, statuses: Sequence[int] = (400, 409, 412, 422)
    ) -> None:
        """Hold that an answer is a refusal.

        Raises:
            Failed: it is not.
        """
        if answer.status not in statuses:
            known = ", ".join(map(str, statuses))
            raise Failed(f"{what} gave {answer.status}, not one of {known}")

    async def unchanged(self, made: Made, what: str) -> None:
        """Hold that a Task stands as it stood.

        Raises:
            Failed: it does not.
        """
        now = await self.client.read(made.path)
        if now.get("status") != made.task.get("status"):
            raise Failed(f"{what}: the Task is {now.get('status')} now")

    async def clear(self) -> int:
        """Remove what was made, the newest first; how many are left behind, as the server wants.

        A Task or a request that cannot be deleted is entered in error.
        """
        left = 0
        for client in {id(each): each for each in (self.source, self.target)}.values():
            held = list(dict.fromkeys(reversed(client.made)))
            for _ in range(PASSES):  # what something points to goes after it
                held = [path for path in held if not await self._deleted(client, path)]
            for path in held:
                await self._ended(client, path)
            left += len(held)
            client.made.clear()
        return left

    async def _deleted(self, client: Client, path: str) -> bool:
        try:
            answer = await client.ask("DELETE", path)
        except Failed:
            return False
        return answer.status in (200, 202, 204, 404, 410)

    async def _ended(self, client: Client, path: str) -> None:
        """Enter it in error, where its kind can be."""
        if path.partition("/")[0] not in ("Task", "ServiceRequest", "Procedure"):
            return
        with contextlib.suppress(Failed):
            held = await client.get(path)
            if held.status == 200:
                await client.put({**held.resource, "status": "entered-in-error"})
