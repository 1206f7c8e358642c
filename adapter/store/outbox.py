"""What is to be delivered. A lane is (referral, destination); a lane delivers in order.

Only the first open row of a lane has a `due_at`, so that the index of due rows holds as many rows
as there are lanes waiting, and a claim costs the same with ten rows and with a million. A lane goes
on when its first row is delivered or discarded; a dead or quarantined row holds its lane, and no
other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from adapter.plugin.errors import AdapterError
from adapter.store import outbox_statements as statements
from adapter.store.errors import RaceError, StoreFault, missing
from adapter.store.ids import new_id
from adapter.store.lane_locks import hold_lane, tail
from adapter.store.session import Row, Session
from adapter.store.statement import Statement
from adapter.store.times import from_micros, maybe_time, to_micros

State = Literal["due", "sending", "delivered", "waiting", "dead", "quarantined", "discarded"]
Lane = tuple[str, str]

_FOREVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One delivery. `document`, `notice` and `external_ids` are empty in lists.

    `state` is ``waiting`` where the row is due later, or stands behind another in its lane.
    `attempts` counts the one under way.
    """

    sequence: int
    id: str
    organization: str
    referral: str
    fulfilment: str | None
    destination: str
    lane_sequence: int
    event: str
    kind: str
    test: bool
    state: State
    attempts: int
    created_at: datetime
    next_at: datetime
    done_at: datetime | None
    code: str | None
    error: str | None
    fix: str | None
    reason: str | None
    document: dict[str, Any] = field(repr=False)
    notice: dict[str, Any] | None = field(repr=False)
    external_ids: dict[str, str] = field(repr=False)

    @property
    def lane(self) -> Lane:
        """What delivers in order."""
        return self.referral, self.destination


Listed = list[OutboxRow]


class Outbox:
    """The durable queue of deliveries."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        *,
        organization: str,
        referral: str,
        destination: str,
        event: str,
        kind: str,
        document: dict[str, Any],
        fulfilment: str | None = None,
        notice: dict[str, Any] | None = None,
        test: bool = False,
        not_before: datetime | None = None,
    ) -> str:
        """Put a delivery at the end of its lane; its id.

        Raises:
            RaceError: another writer used the same place; the writer runs the work again.
        """
        row_id, now = new_id(), to_micros(self._session.now())
        last, open_rows = tail(self._session, referral, destination)
        at = now if not_before is None else to_micros(not_before)
        added = self._session.row(
            statements.ADD,
            {
                "id": row_id,
                "organization": organization,
                "referral": referral,
                "fulfilment": fulfilment,
                "destination": destination,
                "lane_sequence": last + 1,
                "event": event,
                "kind": kind,
                "test": test,
                "state": "due",
                "attempts": 0,
                "created_at": now,
                "next_at": at,
                "due_at": None if open_rows else at,
                "claimed_by": None,
                "claimed_at": None,
                "done_at": None,
                "external_ids_sealed": None,
                "code": None,
                "error": None,
                "fix": None,
                "reason": None,
            },
        )
        if added is None:
            raise RaceError("store.lane", "Another writer used this place.", fix="Try again.")
        seal = self._session.seal_json
        self._session.run(
            statements.ADD_BODY,
            {
                "sequence": added[0],
                "organization": organization,
                "document_sealed": seal(
                    organization, referral, f"outbox|document|{row_id}", document
                ),
                "notice_sealed": None
                if notice is None
                else seal(organization, referral, f"outbox|notice|{row_id}", notice),
            },
        )
        return row_id

    def claim_due(
        self,
        now: datetime,
        limit: int,
        exclude_lanes: Collection[Lane] = (),
        *,
        exclude_destinations: Collection[str] = (),
        most: Mapping[str, int] | None = None,
    ) -> list[OutboxRow]:
        """Take up to `limit` rows that head their lanes and are due; they are then ``sending``.

        Each destination gets its share first, so that a long queue for one starves no other; `most`
        says how many rows of a destination to take at most.
        """
        waiting = [d for d in self.destinations() if d not in exclude_destinations]
        found: list[OutboxRow] = []
        for left, destination in zip(range(len(waiting), 0, -1), waiting, strict=True):
            share = -(-(limit - len(found)) // left)
            share = min(share, (most or {}).get(destination, share))
            if share > 0:
                found += self._claim(destination, now, share, exclude_lanes)
        return found

    def claim_lane(self, lane: Lane, now: datetime) -> OutboxRow | None:
        """Take the head of one lane if it is due, or was being sent by a worker that is gone.

        Only for who alone works on this lane: the lane's one running job.
        """
        parameters = {
            "of_referral": lane[0],
            "of_destination": lane[1],
            "now": to_micros(now),
            "worker": self._session.worker,
        }
        row = self._session.row(statements.CLAIM_LANE, parameters)
        return None if row is None else self._opened(row)

    def unclaim(self, id: str) -> None:
        """Give back what was claimed and not sent: it is due as before, and was not attempted."""
        self._session.run(statements.UNCLAIM, {"row": id})

    def postpone(self, lane: Lane, until: datetime) -> None:
        """Let a lane that is due wait until a time, without counting an attempt."""
        self._session.run(
            statements.POSTPONE,
            {"of_referral": lane[0], "of_destination": lane[1], "at": to_micros(until)},
        )

    def destinations(self) -> list[str]:
        """The destinations that have a lane waiting."""
        found: list[str] = []
        after = ""
        while (row := self._session.row(statements.DESTINATIONS, {"after": after})) and row[
            0
        ] is not None:
            after = row[0]
            found.append(after)
        return found

    def next_due(self, *, exclude_destinations: Collection[str] = ()) -> datetime | None:
        """When the next row becomes due, or None if none waits."""
        times = [
            row[0]
            for destination in self.destinations()
            if destination not in exclude_destinations
            and (row := self._session.row(statements.NEXT_DUE, {"of_destination": destination}))
            and row[0] is not None
        ]
        return from_micros(min(times)) if times else None

    def delivered(
        self,
        id: str,
        external_ids: Mapping[str, str],
        at: datetime,
    ) -> str | None:
        """The peer has it; the lane goes on. Gives how the site stood, None if nobody ever said.

        Raises:
            StoreError: the row is not being sent.
        """
        lane = self._close(statements.DELIVERED, {"row": id, "at": to_micros(at)}, "being sent")
        if external_ids:
            place = f"outbox|external_ids|{id}"
            sealed = self._session.seal_json(lane[2], lane[0], place, dict(external_ids))
            self._session.run(statements.KEEP_IDS, {"row": id, "new_external_ids": sealed})
        stood: str | None = lane[3]
        return stood

    def retry(
        self,
        id: str,
        next_at: datetime,
        *,
        code: str | None = None,
        error: str | None = None,
        fix: str | None = None,
    ) -> None:
        """Try again at a time: after an attempt, or because a person asks for it.

        Raises:
            StoreError: the row is neither being sent nor dead nor quarantined.
        """
        parameters = {
            "row": id,
            "at": to_micros(next_at),
            "new_code": code,
            "new_error": error,
            "new_fix": fix,
        }
        if self._session.run(statements.RETRY, parameters) != 1:
            raise missing("delivery that can be tried again:", id)

    def fail(
        self,
        id: str,
        state: Literal["dead", "quarantined"],
        *,
        code: str,
        error: str,
        fix: str,
    ) -> None:
        """Give up until a person decides; the lane waits.

        Raises:
            StoreError: the row is neither due nor being sent.
        """
        parameters = {
            "row": id,
            "new_state": state,
            "new_code": code,
            "new_error": error,
            "new_fix": fix,
        }
        if self._session.run(statements.FAIL, parameters) != 1:
            raise missing("open delivery", id)

    def discard(self, id: str, reason: str) -> None:
        """Never deliver it, for a reason that a person gave; the lane goes on.

        Raises:
            StoreError: the row is being sent, or is done.
        """
        at = to_micros(self._session.now())
        self.hold(id)
        self._close(
            statements.DISCARD, {"row": id, "at": at, "why": reason}, "open and not being sent"
        )

    def hasten(self, destination: str, now: datetime) -> int:
        """Make every lane of a destination that waits for a later time due now; how many."""
        parameters = {"of_destination": destination, "now": to_micros(now)}
        return self._session.run(statements.HASTEN, parameters)

    def recall(self, now: datetime, horizon: datetime) -> int:
        """Make due now what waits for a time that a wrong clock gave; how many.

        That is what was queued in the future, and a next try that is later than `horizon`.
        """
        times = {"now": to_micros(now), "horizon": to_micros(horizon)}
        return self._session.run(statements.RECALL, times)

    def get(self, id: str) -> OutboxRow | None:
        """One delivery with its document, or None."""
        row = self._session.row(statements.GET, {"row": id})
        return None if row is None else self._full(row)

    def hold(self, id: str) -> OutboxRow | None:
        """One delivery as in lists, or None; it stays as it is until this transaction ends.

        Whoever decides by the state of a delivery what is to be done with it reads it so: a worker
        that takes it at the same time has it before, or finds it changed.
        """
        row = self._session.row(statements.GET, {"row": id})
        if row is not None and self._session.shared:
            hold_lane(self._session, row[3], row[5])
            row = self._session.row(statements.GET, {"row": id})
        return None if row is None else self._listed(row, to_micros(self._session.now()))

    def list(
        self,
        *,
        referral: str | None = None,
        state: State | None = None,
        after: int = 0,
        limit: int = 1_000_000,
    ) -> list[OutboxRow]:
        """Deliveries without their documents, oldest first, from the one after `after`."""
        wanted = {"after": after, "most": limit}
        if referral is None:
            rows = self._session.rows(statements.LIST, wanted)
        else:
            rows = self._session.rows(statements.LIST_REFERRAL, wanted | {"of_referral": referral})
        now = to_micros(self._session.now())
        listed = [self._listed(row, now) for row in rows]
        return listed if state is None else [each for each in listed if each.state == state]

    def release_claims(
        self, *, worker: str | None = None, claimed_before: datetime | None = None
    ) -> int:
        """Make rows that were being sent due again; how many.

        At the start of the only process: all. Among several workers: those of one `worker`, or
        those claimed before a time, because their worker is gone.
        """
        before = _FOREVER if claimed_before is None else to_micros(claimed_before)
        return self._session.run(statements.RELEASE, {"worker": worker, "before": before})

    def _claim(
        self, destination: str, now: datetime, limit: int, exclude: Collection[Lane]
    ) -> Listed:
        parameters = {
            "of_destination": destination,
            "now": to_micros(now),
            "most": limit,
            "worker": self._session.worker,
        }
        claimed = self._session.rows(statements.CLAIM, parameters)
        rows = [found for row in claimed if (found := self._opened(row)) is not None]
        rows.sort(key=lambda row: (row.next_at, row.sequence))
        kept = [row for row in rows if row.lane not in exclude]
        for row in rows:
            if row.lane in exclude:
                self.unclaim(row.id)
        return kept

    def _close(self, statement: Statement, parameters: dict[str, Any], wanted: str) -> Row:
        """Close a row and let its lane go on; its referral, destination and organization."""
        row = self._session.row(statement, parameters)
        if row is None:
            raise missing(f"delivery that is {wanted}:", parameters["row"])
        self._session.run(statements.PROMOTE, {"of_referral": row[0], "of_destination": row[1]})
        return row

    def _opened(self, row: Row) -> OutboxRow | None:
        """A claimed row; None if its values cannot be opened: then its lane alone waits."""
        try:
            return self._full(row)
        except (StoreFault, RaceError):
            raise
        except AdapterError as error:
            self.fail(row[1], "quarantined", code=error.code, error=error.message, fix=error.fix)
            return None

    def _full(self, row: Row) -> OutboxRow:
        opened = self._session.open_json
        return self._listed(
            row,
            to_micros(self._session.now()),
            document=opened(f"outbox|document|{row[1]}", row[21]) or {},
            notice=opened(f"outbox|notice|{row[1]}", row[22]),
            external_ids=opened(f"outbox|external_ids|{row[1]}", row[20]) or {},
        )

    def _listed(
        self,
        row: Row,
        now: int,
        *,
        document: dict[str, Any] | None = None,
        notice: dict[str, Any] | None = None,
        external_ids: dict[str, str] | None = None,
    ) -> OutboxRow:
        state = row[10]
        if state == "due" and (row[14] is None or row[14] > now):
            state = "waiting"
        return OutboxRow(
            sequence=row[0], id=row[1], organization=row[2], referral=row[3], fulfilment=row[4],
            destination=row[5], lane_sequence=row[6], event=row[7], kind=row[8],
            test=bool(row[9]), state=state, attempts=row[11], created_at=from_micros(row[12]),
            next_at=from_micros(row[13]), done_at=maybe_time(row[15]), code=row[16],
            error=row[17], fix=row[18], reason=row[19], document=document or {}, notice=notice,
            external_ids=external_ids or {},
        )  # fmt: skip
