"""Every version of every FHIR resource, ours and others': create, read, vread, history, search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from adapter.store import resource_statements as sql
from adapter.store import search_keys
from adapter.store.errors import RaceError
from adapter.store.ids import new_number, new_numbers, number_of
from adapter.store.session import Row, Session
from adapter.store.statement import Statement, padded
from adapter.store.times import from_micros, to_micros

_CLOCKS_APART = timedelta(minutes=10)
_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResource:
    """A resource to be stored as the next version of its type and id."""

    type: str
    id: str
    content: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRow:
    """One version of a resource; `content` is empty where it was deleted."""

    type: str
    id: str
    version: int
    organization: str
    referral: str | None
    last_updated: datetime
    deleted: bool
    content: dict[str, Any] = field(repr=False)


Seen = dict[tuple[str, str], tuple[int, bytes | None]]


class Newest:
    """The newest versions of some resources, read at once; each is opened when it is asked for."""

    def __init__(self, rows: Mapping[tuple[str, str], Row], open: Callable[[Row], ResourceRow]):
        self._rows = rows
        self._open = open
        self.seen: Seen = {own: (row[2], row[-1]) for own, row in rows.items()}

    def get(self, type: str, id: str) -> ResourceRow | None:
        """The newest version, or None."""
        row = self._rows.get((type, id))
        return None if row is None else self._open(row)


def _anything(_: NewResource) -> None:
    """Approve of it."""


class Resources:
    """The versioned resource table. Versions count from 1 without a gap."""

    __slots__ = ("_session", "written")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.written: list[tuple[str, str, int]] = []

    def put(
        self,
        type: str,
        id: str,
        *,
        organization: str,
        content: dict[str, Any],
        referral: str | None = None,
        last_updated: datetime | None = None,
    ) -> int:
        """Store the next version of a resource; its number."""
        new = NewResource(type=type, id=id, content=content)
        return self.put_many(
            [new], organization=organization, referral=referral, last_updated=last_updated
        )[0]

    def put_many(
        self,
        resources: Sequence[NewResource],
        *,
        organization: str,
        referral: str | None = None,
        last_updated: datetime | None = None,
        unless_same: bool = False,
        approve: Callable[[NewResource], None] = _anything,
        before: Newest | None = None,
    ) -> list[int]:
        """Store the next version of several different resources; their numbers, in their order.

        With `unless_same` a resource whose newest version has the same content is left alone, and
        its number is that of this version. `approve` is called with each that is going to be
        stored, and raises to refuse it. `before` are their newest versions, if they were read.

        Raises:
            RaceError: somebody stored the same version first; the writer runs the work again.
        """
        now = to_micros(self._session.now())
        at = now if last_updated is None else to_micros(last_updated)
        subjects: dict[str, bytes] = {}
        seen = before.seen if before else self._versions([each.id for each in resources])
        rows: list[dict[str, Any]] = []
        keys: list[dict[str, Any]] = []
        older: list[dict[str, Any]] = []
        numbers: list[int] = []
        fresh = new_numbers(now, len(resources))
        for each in resources:
            plain = orjson.dumps(each.content, default=_decimal)
            hashed = self._session.keyring.lookup_hash("resource content", plain)[:16]
            version, content = seen.get((each.type, each.id), (0, None))
            if unless_same and content == hashed:
                numbers.append(version)
                continue
            approve(each)
            if version:
                older.append({"of_id": each.id, "of_type": each.type, "of_version": version})
            row = self._row(each, version + 1, organization, referral, at, plain, subjects)
            row["content_hash"] = hashed
            row["sequence"] = next(fresh)
            rows.append(row)
            keys += self._keys(each, organization)
            numbers.append(version + 1)
            self.written.append((each.type, each.id, version + 1))
        self._insert(older, rows)
        self._session.many(sql.ADD_KEY, keys)
        return numbers

    def delete(
        self,
        type: str,
        id: str,
        *,
        organization: str,
        referral: str | None = None,
    ) -> int:
        """Store a version that says the resource is gone; its number."""
        gone = NewResource(type=type, id=id, content={})
        version, _ = self._versions([id]).get((type, id), (0, None))
        at = to_micros(self._session.now())
        row = self._row(gone, version + 1, organization, referral, at, b"", {})
        row["sequence"] = new_number(at)
        older = [{"of_id": id, "of_type": type, "of_version": version}] if version else []
        self._insert(older, [row | {"deleted": True, "content_sealed": None}])
        return version + 1

    def get(
        self,
        type: str,
        id: str,
        version: int | None = None,
    ) -> ResourceRow | None:
        """The newest version, or the one asked for, or None."""
        of = {"of_type": type, "of_id": id}
        if version is None:
            row = self._session.row(sql.CURRENT, of)
        else:
            row = self._session.row(sql.VERSION, of | {"of_version": version})
        return None if row is None else self._resource(row)

    def newest(self, ids: Sequence[str]) -> Newest:
        """The newest versions of every resource that has one of these ids."""
        rows = self._of_ids(sql.NEWEST, ids)
        return Newest({(row[0], row[1]): row for row in rows}, self._resource)

    def history(self, type: str, id: str) -> list[ResourceRow]:
        """Every version, newest first."""
        rows = self._session.rows(sql.HISTORY, {"of_type": type, "of_id": id})
        return [self._resource(row) for row in rows]

    def changes(
        self,
        type: str,
        *,
        party: str | None = None,
        since: datetime | None = None,
        before: int = 0,
        limit: int = 1_000_000,
    ) -> list[tuple[int, ResourceRow]]:
        """Every version of every resource of a type as (sequence, row), newest first.

        `before` is the last sequence of the page before; `party` is as in `search`.
        """
        given: dict[str, Any] = {"by_party": party} if party is not None else {}
        if since is not None:
            given["by_updated_from"] = to_micros(since)
        statement = sql.searching(tuple(sorted(given)), True, True)
        wanted = given | {"of_type": type, "after": before or _LAST, "most": limit}
        return [(row[0], self._resource(row[1:])) for row in self._session.rows(statement, wanted)]

    def superseded(self, type: str, since: int) -> list[tuple[int, ResourceRow]]:
        """What was newest up to a sequence and is not any more, as (sequence, row)."""
        rows = self._session.rows(sql.SUPERSEDED, {"of_type": type, "since": since})
        return [(row[0], self._resource(row[1:])) for row in rows]

    def search(
        self,
        type: str,
        *,
        organization: str | None = None,
        party: str | None = None,
        status: str | None = None,
        code: str | None = None,
        subject: str | None = None,
        date_from: str | None = None,
        date_before: str | None = None,
        updated_from: datetime | None = None,
        updated_before: datetime | None = None,
        keys: Mapping[str, str] | None = None,
        after: int = 0,
        limit: int = 1_000_000,
        newest_first: bool = False,
    ) -> list[tuple[int, ResourceRow]]:
        """Newest versions that match everything given, as (sequence, row) in order of sequence.

        `party` leaves out what is in no way this party's; the rest is still to be asked one by one.
        `subject` is a reference such as ``Patient/1``; `keys` are parameters of
        `search_keys.parameters`, an identifier as ``system|value`` or ``|value``. Pass the last
        sequence as `after` for the next page. With `newest_first` it is the other way round.
        """
        keyring = self._session.keyring
        given: dict[str, Any] = {
            "organization": organization,
            "party": party,
            "status": status,
            "code": code,
            "subject": None if subject is None else search_keys.subject_key(keyring, subject),
            "date_from": date_from,
            "date_before": date_before,
            "updated_from": None if updated_from is None else to_micros(updated_from),
            "updated_before": None if updated_before is None else to_micros(updated_before),
        }
        given = {f"by_{name}": value for name, value in given.items() if value is not None}
        wanted_values: list[tuple[str, str, str]] = []
        for place, (name, value) in enumerate((keys or {}).items()):
            system, _, plain = value.rpartition("|")
            given[f"key_{place}"] = search_keys.key(keyring, type, name, plain)
            wanted_values.append((name, plain, system))

        def fits(row: ResourceRow) -> bool:
            """A key may be of an older version; and it says nothing of an identifier's system."""
            return all(search_keys.has(type, row.content, *each) for each in wanted_values)

        statement = sql.searching(tuple(sorted(given)), newest_first)
        if newest_first:
            after = after or _LAST
        elif updated_from is not None:  # written after it was said to be: numbers follow the clock
            after = max(after, number_of(to_micros(updated_from - _CLOCKS_APART)))
        found: list[tuple[int, ResourceRow]] = []
        while True:
            wanted = given | {"of_type": type, "after": after, "most": limit}
            rows = self._session.rows(statement, wanted)
            read = ((row[0], self._resource(row[1:])) for row in rows)
            found += [each for each in read if fits(each[1])]
            if len(rows) < limit or len(found) >= limit:
                return found[:limit]
            after = rows[-1][0]

    def _versions(self, ids: Sequence[str]) -> Seen:
        """The newest version of each of these ids that is there, and the hash of its content."""
        return {(row[0], row[1]): (row[2], row[3]) for row in self._of_ids(sql.VERSIONS, ids)}

    def _of_ids(self, statements: Mapping[int, Statement], ids: Sequence[str]) -> Iterator[Row]:
        for start in range(0, len(ids), sql.PLACES[-1]):
            part = ids[start : start + sql.PLACES[-1]]
            size = next(size for size in sql.PLACES if size >= len(part))
            yield from self._session.rows(statements[size], padded(part, size))

    def _insert(self, older: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
        """Add versions, and say of those before them that they are not the newest any more."""
        if self._session.many(sql.SUPERSEDE, older) != len(older) or (
            self._session.many(sql.ADD, rows) != len(rows)
        ):
            raise RaceError(
                "store.version-used", "Another writer stored this version first.", fix="Try again."
            )

    def _row(
        self,
        new: NewResource,
        version: int,
        organization: str,
        referral: str | None,
        at: int,
        plain: bytes,
        subjects: dict[str, bytes],
    ) -> dict[str, Any]:
        """A row but for its number and the hash of its content; `subjects` saves hashing again."""
        session = self._session
        shown = search_keys.columns(new.content)
        subject = shown.subject and subjects.get(shown.subject)
        if shown.subject and not subject:
            subject = subjects[shown.subject] = search_keys.subject_key(
                session.keyring, shown.subject
            )
        place = f"resources|content|{new.type}/{new.id}/{version}"
        return {
            "type": new.type,
            "id": new.id,
            "version": version,
            "current": 1,
            "organization": organization,
            "referral": referral,
            "status": shown.status,
            "code": shown.code,
            "date": shown.date,
            "subject": subject,
            "deleted": False,
            "last_updated": at,
            "content_hash": None,
            "content_sealed": session.seal(organization, referral, place, plain),
        }

    def _keys(self, new: NewResource, organization: str) -> list[dict[str, Any]]:
        return [
            {"key": key, "type": new.type, "id": new.id, "organization": organization}
            for key in search_keys.keys(self._session.keyring, new.type, new.content)
        ]

    def _resource(self, row: Row) -> ResourceRow:
        place = f"resources|content|{row[0]}/{row[1]}/{row[2]}"
        return ResourceRow(
            type=row[0], id=row[1], version=row[2], organization=row[3], referral=row[4],
            last_updated=from_micros(row[5]), deleted=bool(row[6]),
            content=self._session.open_json(place, row[7]) or {},
        )  # fmt: skip


def _decimal(value: Any) -> orjson.Fragment:
    """A Decimal with the digits that it came with: FHIR asks to keep them."""
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} is not a JSON value")
