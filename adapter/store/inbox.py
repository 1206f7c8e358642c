"""What arrived: accepted messages, each key once at a site, and those that were refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NoReturn

from adapter.store import inbox_statements as statements
from adapter.store.errors import RaceError, missing
from adapter.store.ids import new_id
from adapter.store.inbox_row import InboxRow, Known, Offer, State, listed, opened
from adapter.store.session import Session
from adapter.store.times import to_micros


class Inbox:
    """The durable inbox of every site."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def content_hash(self, raw: bytes) -> bytes:
        """The keyed hash by which two messages have the same bytes."""
        return self._session.keyring.lookup_hash("inbox content", raw)

    def find(self, site: str, key: str) -> Known | None:
        """The message that was accepted under this key, or None."""
        return self._known(site, self._key_hash(site, key))

    def offer(self, organization: str, offers: Sequence[Offer]) -> list[str | Known]:
        """Accept messages; for each its id, or what is known of its key if that was used before.

        Almost every key is new, so that asking first would be a statement for nothing: only where
        fewer rows were added than messages came, it is asked which came before.

        Raises:
            RaceError: another writer took a key at this moment; the writer runs the work again.
        """
        seal, at = self._session.sealing(organization, None), to_micros(self._session.now())
        hash_of = self._session.keyring.lookup_hash
        rows: list[dict[str, Any]] = []
        bodies: list[dict[str, Any]] = []
        for each in offers:
            row_id = new_id()
            rows.append(
                {
                    "id": row_id,
                    "organization": organization,
                    "site": each.site,
                    "key_hash": hash_of("inbox key", f"{each.site}\x1f{each.key}"),
                    "key_sealed": seal(f"inbox|key|{row_id}", each.key.encode()),
                    "content_hash": hash_of("inbox content", each.raw),
                    "format": each.format,
                    "kind": each.kind,
                    "dialect": each.dialect,
                    "test": each.test,
                    "received_at": at,
                }
            )
            bodies.append(
                {
                    "of_id": row_id,
                    "organization": organization,
                    "raw_sealed": seal(f"inbox|raw|{row_id}", each.raw),
                    "answer_sealed": seal(f"inbox|answer|{row_id}", each.answer)
                    if each.answer
                    else None,
                }
            )
        added = self._session.many(statements.OFFER, rows)
        self._session.many(statements.OFFER_BODY, bodies)  # nothing where no row was added
        if added == len(rows):
            return [row["id"] for row in rows]
        found = [self._known(row["site"], row["key_hash"]) or _nobody() for row in rows]
        return [
            known.id if known.id == row["id"] else known
            for known, row in zip(found, rows, strict=True)
        ]

    def add(
        self,
        *,
        organization: str,
        site: str,
        key: str,
        format: str,
        kind: str | None,
        raw: bytes,
        dialect: str | None = None,
        answer: bytes = b"",
        test: bool = False,
    ) -> InboxRow:
        """Accept a message whose key is known to be new at this site.

        Raises:
            RaceError: somebody was faster; the writer runs the work again.
        """
        row_id, now = new_id(), self._session.now()
        seal = self._session.seal
        found = self._session.row(
            statements.ADD,
            {
                "id": row_id,
                "organization": organization,
                "site": site,
                "key_hash": self._key_hash(site, key),
                "key_sealed": seal(organization, None, f"inbox|key|{row_id}", key.encode()),
                "content_hash": self.content_hash(raw),
                "format": format,
                "kind": kind,
                "dialect": dialect,
                "test": test,
                "state": "accepted",
                "pending": 1,
                "code": None,
                "error": None,
                "fix": None,
                "referral": None,
                "received_at": to_micros(now),
                "done_at": None,
            },
        )
        if found is None:
            raise key_used()
        self._add_bodies(found[0], organization, row_id, raw, answer)
        return InboxRow(
            sequence=found[0], id=row_id, organization=organization, site=site, key=key,
            format=format, kind=kind, dialect=dialect, test=test, state="accepted",
            processed=False, code=None, error=None, fix=None, referral=None, received_at=now,
            done_at=None, raw=raw, answer=answer,
        )  # fmt: skip

    def add_refused(
        self,
        *,
        organization: str,
        site: str,
        key: str | None,
        format: str,
        kind: str | None,
        raw: bytes,
        code: str,
        message: str,
        fix: str = "",
    ) -> str:
        """Keep a message that was not accepted, for people to see; its key stays free."""
        row_id, now = new_id(), to_micros(self._session.now())
        seal = self._session.seal
        sealed = None if key is None else key.encode()
        added = self._session.row(
            statements.ADD,
            {
                "id": row_id,
                "organization": organization,
                "site": site,
                "key_hash": None,
                "key_sealed": sealed and seal(organization, None, f"inbox|key|{row_id}", sealed),
                "content_hash": self.content_hash(raw),
                "format": format,
                "kind": kind,
                "dialect": None,
                "test": False,
                "state": "refused",
                "pending": None,
                "code": code,
                "error": message,
                "fix": fix,
                "referral": None,
                "received_at": now,
                "done_at": now,
            },
        )
        if added is None:
            raise key_used()
        self._add_bodies(added[0], organization, row_id, raw, b"")
        return row_id

    def next_pending(self, site: str, limit: int) -> list[InboxRow]:
        """Accepted messages of a site that nothing was done with, in the order of arrival."""
        rows = self._session.rows(statements.NEXT, {"of_site": site, "most": limit})
        return [opened(self._session, row) for row in rows]

    def pending_ids(self, site: str, limit: int) -> list[str]:
        """The ids of the same messages, whose bytes are not opened."""
        return [
            row[0]
            for row in self._session.rows(statements.NEXT_IDS, {"of_site": site, "most": limit})
        ]

    def pending_sites(self) -> list[str]:
        """The sites that have accepted messages waiting."""
        return [row[0] for row in self._session.rows(statements.PENDING_SITES, {})]

    def waiting(self) -> dict[str, int]:
        """How many accepted messages wait for the engine, by site."""
        return {row[0]: row[1] for row in self._session.rows(statements.WAITING, {})}

    def take(self, id: str) -> bool:
        """True if the message still waits; until the commit nobody else can work on it.

        Several services look for what waits, each in the order of arrival: the first that takes a
        message does it, and the others, who waited for it here, go on to the next.
        """
        return self._session.row(statements.TAKE, {"row": id}) is not None

    def mark(
        self,
        id: str,
        state: Literal["processed", "quarantined", "discarded"],
        *,
        code: str | None = None,
        error: str | None = None,
        fix: str | None = None,
        referral: str | None = None,
    ) -> None:
        """Say what became of a message; ``processed`` leaves it ``accepted``, and done.

        Raises:
            StoreError: there is no such message.
        """
        parameters = {
            "row": id,
            "new_state": "accepted" if state == "processed" else state,
            "new_code": code,
            "new_error": error,
            "new_fix": fix,
            "new_referral": referral,
            "at": to_micros(self._session.now()),
        }
        if self._session.run(statements.MARK, parameters) != 1:
            raise missing("message", id)

    def replay(self, id: str) -> None:
        """Let the engine take a quarantined or accepted message again, in its old place.

        Raises:
            StoreError: there is no such message, or it was refused or discarded.
        """
        if self._session.run(statements.REPLAY, {"row": id}) != 1:
            raise missing("message that can be replayed:", id)

    def get(self, id: str) -> InboxRow | None:
        """One message with its bytes, or None."""
        row = self._session.row(statements.GET, {"row": id})
        return None if row is None else opened(self._session, row)

    def hold(self, id: str) -> InboxRow | None:
        """As `get`; the message stays as it is until this transaction ends.

        Whoever decides by the state of a message what is to be done with it reads it so: who does
        something with it at the same time has done it before, or finds it changed.
        """
        self._session.row(statements.HOLD, {"row": id})
        return self.get(id)

    def list(
        self, *, state: State | None = None, after: int = 0, limit: int = 1_000_000
    ) -> list[InboxRow]:
        """Messages without their bytes, in the order of arrival, from the one after `after`."""
        wanted = {"after": after, "most": limit}
        if state is None:
            rows = self._session.rows(statements.LIST, wanted)
        else:
            rows = self._session.rows(statements.LIST_STATE, wanted | {"of_state": state})
        return [listed(self._session, row) for row in rows]

    def _known(self, site: str, key_hash: bytes) -> Known | None:
        row = self._session.row(statements.FIND, {"of_site": site, "of_key": key_hash})
        if row is None:
            return None
        answer = self._session.open(f"inbox|answer|{row[0]}", row[2])
        return Known(id=row[0], content_hash=bytes(row[1]), answer=answer, state=row[3])

    def _add_bodies(
        self, sequence: int, organization: str, row_id: str, raw: bytes, answer: bytes
    ) -> None:
        seal = self._session.seal
        self._session.run(
            statements.ADD_BODY,
            {
                "sequence": sequence,
                "organization": organization,
                "raw_sealed": seal(organization, None, f"inbox|raw|{row_id}", raw),
                "answer_sealed": seal(organization, None, f"inbox|answer|{row_id}", answer)
                if answer
                else None,
            },
        )

    def _key_hash(self, site: str, key: str) -> bytes:
        return self._session.keyring.lookup_hash("inbox key", f"{site}\x1f{key}")


def _nobody() -> NoReturn:
    raise key_used()


def key_used() -> RaceError:
    """Another writer took this key, and its row was not to be seen yet: try again."""
    return RaceError("store.key-used", "This key was used before.", fix="Look it up again.")
