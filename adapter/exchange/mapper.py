"""Reading and writing messages through the mapping tables: bytes to events, events to bytes, FHIR.

The one place that joins formats (bytes to trees) with packs (trees to events). Everything is looked
up once per (format, kind, dialect) and then called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.mapping.packs import Packs
from adapter.plugin.errors import DataError
from adapter.plugin.formats import Format, Settings, read_leniently, refuse_faulty
from adapter.referral.document import DocumentError, from_document, to_document
from adapter.referral.identity import assign_ids
from adapter.referral.model import Envelope, ReferralEvent

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A message, read: the event, and where a row reported that it could not carry a value.

    The whole loss report is made when somebody asks for it (`adapter explain`), from the raw bytes.
    """

    event: ReferralEvent
    warnings: Sequence[str]


class Mapper:
    """Formats and packs, joined."""

    def __init__(self, packs: Packs, formats: Mapping[str, Format]) -> None:
        self.packs = packs
        self.formats = formats

    def read(
        self, raw: bytes, *, format: str, dialect: str | None, site: str, timezone: str
    ) -> Read:
        """The event that a message of a site states; local times are of that time zone.

        Raises:
            DataError: it cannot be read, or no table maps it.
        """
        tree, mended = read_leniently(self._format(format), raw)
        table = self.packs.pick(format, tree, dialect=dialect)
        mapped = table.to_right(tree, Settings(site=site, timezone=timezone))
        assign_ids(mapped.document, site)
        try:
            event = from_document(ReferralEvent, mapped.document)
        except DocumentError as error:
            raise DataError(
                "message.not-canonical",
                f"the mapping made something that is no referral: {error.message}",
                fix=f"Check the pack's row for {error.path}.",
            ) from error
        return Read(
            event=event,
            warnings=[*mended, *(f"{each.path}: {each.why}" for each in mapped.warnings)],
        )

    def envelope(self, raw: bytes, *, format: str) -> Envelope | None:
        """The message's own facts alone, for an answer to a message that could not be read.

        Formats whose pack has a map of the kind ``header`` give it; None if even that fails.
        """
        try:
            tree, _ = read_leniently(self._format(format), raw)
            mapped = self.packs.find(format, "header", "referral").to_right(tree)
            return from_document(ReferralEvent, mapped.document).envelope
        except (DataError, DocumentError):
            return None

    def write(
        self,
        event: ReferralEvent,
        *,
        format: str,
        kind: str,
        dialect: str | None,
        site: str,
        timezone: str,
    ) -> bytes:
        """The bytes that state an event to a site in its format.

        Raises:
            DataError: no table maps it, a value has no place in the format, or what the table makes
                fails the format's own checks.
        """
        table = self.packs.find(format, kind, dialect=dialect)
        mapped = table.to_left(to_document(event), Settings(site=site, timezone=timezone))
        target = self._format(format)
        refuse_faulty(target, mapped.tree)
        return target.dump(mapped.tree)

    def _format(self, name: str) -> Format:
        found = self.formats.get(name)
        if found is None:
            raise DataError(
                "format.unknown",
                f"no enabled plugin brings the format {name!r}",
                fix='Add the plugin to enabled in [plugins], see "adapter plugins list".',
            )
        return found
