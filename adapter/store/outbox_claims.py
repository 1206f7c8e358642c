"""Who carries a delivery: it is claimed by one worker, given back, or taken over from one gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from adapter.plugin.errors import AdapterError
from adapter.store import outbox_statements as statements
from adapter.store.errors import RaceError, StoreFault
from adapter.store.outbox_row import Lane, OutboxRow, opened
from adapter.store.session import Row, Session
from adapter.store.times import from_micros, to_micros

_FOREVER = 1 << 62


class Claims:
    """The rows of the outbox that head their lanes, and whose they are."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

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
    ) -> list[OutboxRow]:
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

    def _opened(self, row: Row) -> OutboxRow | None:
        """A claimed row; None if its values cannot be opened: then its lane alone waits."""
        try:
            return opened(self._session, row)
        except (StoreFault, RaceError):
            raise
        except AdapterError as error:
            said = {"new_code": error.code, "new_error": error.message, "new_fix": error.fix}
            self._session.run(statements.FAIL, {"row": row[1], "new_state": "quarantined", **said})
            return None
