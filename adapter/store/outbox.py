"""What is to be delivered. A lane is (referral, destination); a lane delivers in order.

Only the first open row of a lane has a `due_at`, so that the index of due rows holds as many rows
as there are lanes waiting, and a claim costs the same with ten rows and with a million. A lane goes
on when its first row is delivered or discarded; a dead or quarantined row holds its lane, and no
other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from adapter.store import outbox_statements as statements
from adapter.store.errors import RaceError, missing
from adapter.store.ids import new_id
from adapter.store.lane_locks import hold_lane, tail
from adapter.store.outbox_claims import Claims
from adapter.store.outbox_row import OutboxRow, State, listed, opened
from adapter.store.session import Row
from adapter.store.statement import Statement
from adapter.store.times import to_micros


class Outbox(Claims):
    """The durable queue of deliveries."""

    __slots__ = ()

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
        tries: int | None = None,
    ) -> None:
        """Try again at a time: after an attempt, or because a person asks for it.

        `tries` is how many attempts count from now on; without it, as many as there were. It is
        not 0 for what was tried: a peer that can be asked is asked before it is sent again.

        Raises:
            StoreError: the row is neither being sent nor dead nor quarantined.
        """
        parameters = {
            "row": id,
            "at": to_micros(next_at),
            "tries": tries,
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
        """Make every lane of a destination that waits for a later time due now; how many.

        What failed there before counts as one attempt: the times of the next ones begin anew.
        """
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
        return None if row is None else opened(self._session, row)

    def hold(self, id: str) -> OutboxRow | None:
        """One delivery as in lists, or None; it stays as it is until this transaction ends.

        Whoever decides by the state of a delivery what is to be done with it reads it so: a worker
        that takes it at the same time has it before, or finds it changed.
        """
        row = self._session.row(statements.GET, {"row": id})
        if row is not None and self._session.shared:
            hold_lane(self._session, row[3], row[5])
            row = self._session.row(statements.GET, {"row": id})
        return None if row is None else listed(row, to_micros(self._session.now()))

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
        found = [listed(row, now) for row in rows]
        return found if state is None else [each for each in found if each.state == state]

    def _close(self, statement: Statement, parameters: dict[str, Any], wanted: str) -> Row:
        """Close a row and let its lane go on; its referral, destination and organization."""
        row = self._session.row(statement, parameters)
        if row is None:
            raise missing(f"delivery that is {wanted}:", parameters["row"])
        self._session.run(statements.PROMOTE, {"of_referral": row[0], "of_destination": row[1]})
        return row
