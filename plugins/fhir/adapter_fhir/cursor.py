"""How far a poll has come: a watermark by the server's clock, and what was seen around it.

The search asks for what was updated since the watermark less an overlap, because servers commit out
of order and clocks differ; what was seen in the overlap is known by its version. Requests whose
Tasks we carry out are followed by their own versions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson

from adapter.plugin import DataError


@dataclass(slots=True)
class Cursor:
    """See the module.

    Attributes:
        since: the newest lastUpdated that was handed over (ISO 8601), or empty.
        seen: versions by ``Task/id``, with their lastUpdated.
        requests: versions of followed requests, by ``ServiceRequest/id``; and the Task of each.
    """

    since: str = ""
    seen: dict[str, tuple[str, str]] = field(default_factory=dict)
    requests: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """The cursor that the core kept.

        Raises:
            DataError: it is none of ours.
        """
        if not text:
            return cls()
        try:
            found = orjson.loads(text)
            return cls(
                since=found["since"],
                seen={key: (each[0], each[1]) for key, each in found["seen"].items()},
                requests={key: (each[0], each[1]) for key, each in found["requests"].items()},
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, AttributeError):
            raise DataError(
                "fhir.cursor",
                "the stored place in the server's changes cannot be read",
                fix="Reset the site's cursor; what was taken before is not taken twice.",
            ) from None

    def write(self) -> str:
        """As the core keeps it."""
        value = {"since": self.since, "seen": self.seen, "requests": self.requests}
        return orjson.dumps(value).decode()

    def is_new(self, place: str, version: str) -> bool:
        """Whether this version was not handed over yet."""
        return self.seen.get(place, ("", ""))[0] != version or not version

    def pass_by(self, place: str, version: str, updated: str, *, keep: timedelta | None) -> None:
        """This version is done. `keep`: how long versions are remembered; None for always."""
        self.seen[place] = (version, updated)
        if updated and (not self.since or moment(updated) > moment(self.since)):
            self.since = updated
        if keep is not None and self.since:
            oldest = moment(self.since) - keep
            self.seen = {
                key: each
                for key, each in self.seen.items()
                if each[1] and moment(each[1]) >= oldest
            }

    def asked_from(self, overlap: timedelta) -> str:
        """The watermark less the overlap, as a search value; empty on the first poll."""
        if not self.since:
            return ""
        return (moment(self.since) - overlap).isoformat(timespec="milliseconds")


def moment(instant: str) -> datetime:
    """A FHIR instant.

    Raises:
        DataError: it is none.
    """
    try:
        found = datetime.fromisoformat(instant)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise DataError(
            "fhir.instant",
            "the server's lastUpdated is no instant",
            fix="Show the server's maker: meta.lastUpdated has date, time and offset (R4).",
        )
    return found
