"""What the fake FHIR server keeps: every version of every resource, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """One version, as JSON; empty where it was deleted."""

    number: int
    at: datetime
    method: str
    raw: bytes = field(repr=False)

    @property
    def resource(self) -> Json | None:
        """A copy of it; None where it was deleted."""
        found: Json | None = orjson.loads(self.raw) if self.raw else None
        return found


class FhirStore:
    """Versions by type and id. What goes in and out are copies."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], list[Version]] = {}
        self._order: dict[tuple[str, str], int] = {}
        self._writes = 0

    def put(self, kind: str, identity: str, resource: Json, at: datetime, method: str) -> Version:
        """Keep the next version, with id and meta as servers give them."""
        versions = self._versions.setdefault((kind, identity), [])
        number = len(versions) + 1
        meta = {
            **resource.get("meta", {}),
            "versionId": str(number),
            "lastUpdated": at.isoformat(timespec="milliseconds"),
        }
        kept = {**resource, "resourceType": kind, "id": identity, "meta": meta}
        return self._append((kind, identity), Version(number, at, method, orjson.dumps(kept)))

    def delete(self, kind: str, identity: str, at: datetime) -> None:
        """Keep that it is gone."""
        number = len(self._versions[kind, identity]) + 1
        self._append((kind, identity), Version(number, at, "DELETE", b""))

    def _append(self, key: tuple[str, str], version: Version) -> Version:
        self._versions[key].append(version)
        self._writes += 1
        self._order[key] = self._writes
        return version

    def known(self, kind: str, identity: str) -> bool:
        """True if it is or was here."""
        return (kind, identity) in self._versions

    def version(self, kind: str, identity: str, number: int | None = None) -> Version | None:
        """One version, the newest if no number is given."""
        versions = self._versions.get((kind, identity), [])
        if number is None:
            return versions[-1] if versions else None
        return versions[number - 1] if 0 < number <= len(versions) else None

    def get(self, kind: str, identity: str) -> Json | None:
        """The newest version, None if there is none or it was deleted."""
        found = self.version(kind, identity)
        return found.resource if found else None

    def history(self, kind: str, identity: str) -> list[Version]:
        """Every version, the newest first."""
        return self._versions.get((kind, identity), [])[::-1]

    def all(self, kind: str) -> Iterator[Json]:
        """What is there of a type, in the order of the last writes."""
        for key in sorted(self._order, key=self._order.__getitem__):
            if key[0] == kind and (found := self.get(*key)) is not None:
                yield found

    def pointed_to(self, address: str) -> bool:
        """True if something that is there has a reference of these words."""
        link = orjson.dumps({"reference": address})[1:-1]
        return any(link in versions[-1].raw for versions in self._versions.values())

    def snapshot(self) -> tuple[dict[tuple[str, str], list[Version]], dict[tuple[str, str], int]]:
        """What `restore` goes back to, for transactions."""
        return {key: list(each) for key, each in self._versions.items()}, dict(self._order)

    def restore(
        self, kept: tuple[dict[tuple[str, str], list[Version]], dict[tuple[str, str], int]]
    ) -> None:
        """Undo everything since the snapshot."""
        self._versions, self._order = kept
