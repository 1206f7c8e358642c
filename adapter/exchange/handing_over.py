"""A delivery in the hands of its site's system: the message, the call, and what came back."""

from __future__ import annotations

from collections.abc import Mapping

from adapter.exchange.dispatch import notice_from, outbound_document
from adapter.exchange.fleet import Fleet
from adapter.exchange.mapper import Mapper
from adapter.exchange.sites import SiteFacts
from adapter.exchange.watch import watched
from adapter.plugin.errors import AdapterError, DataError, PluginError
from adapter.plugin.messages import Delivered, Outbound
from adapter.plugin.system import Delivers, Finds
from adapter.store.failpoints import point
from adapter.store.outbox_row import OutboxRow

TIMEOUT = 120.0
_BEFORE_SEND = point("delivery.before-send")


async def hand_over(row: OutboxRow, *, site: SiteFacts, fleet: Fleet, mapper: Mapper) -> Delivered:
    """Deliver; where it was tried before, a system that can be asked is asked first.

    Raises:
        AdapterError: it did not arrive, or nobody knows. What else a plugin raises is let through.
    """
    system = fleet.system(row.destination)
    if not isinstance(system, Delivers):
        raise PluginError(
            "plugin.cannot-deliver",
            f"the system of {row.destination} declares deliveries, but has no deliver()",
        )
    message = _message(row, site, mapper)
    _BEFORE_SEND()
    if row.attempts > 1 and isinstance(system, Finds):
        found = await watched(system.find(message), seconds=TIMEOUT)
        if found is not None:
            return _checked(row, found, "find()")
    return _checked(row, await watched(system.deliver(message), seconds=TIMEOUT), "deliver()")


def _message(row: OutboxRow, site: SiteFacts, mapper: Mapper) -> Outbound:
    body = b""
    if site.capabilities.outbound_format:
        body = mapper.write(
            outbound_document(row.document, row.id, row.kind),
            format=site.capabilities.outbound_format,
            kind=row.kind,
            dialect=site.dialect,
            site=site.name,
            timezone=site.timezone.key,
        )
    return Outbound(
        id=row.id,
        event=row.event,
        kind=row.kind,
        referral=row.referral,
        fulfilment=row.fulfilment,
        created=row.created_at,
        attempt=row.attempts,
        body=body,
        test=row.test,
        notice=notice_from(row.notice),
    )


def _checked(row: OutboxRow, given: object, where: str) -> Delivered:
    """What a plugin gave back; it may be anything.

    Raises:
        PluginError: it is no `Delivered` with ids of text by name of text.
    """
    if isinstance(given, Delivered) and isinstance(given.external_ids, Mapping):
        ids = dict(given.external_ids)
        if all(isinstance(each, str) for pair in ids.items() for each in pair):
            return given
    raise PluginError(
        "plugin.wrong-type",
        f"{where} of the plugin of {row.destination} gave a {type(given).__name__} back, "
        "no Delivered",
        fix="Update the plugin, or ask its maker: `adapter conform` shows it.",
    )


def plugin_fault(row: OutboxRow, error: Exception) -> AdapterError:
    """What it means that a plugin raised what it should not have."""
    if isinstance(error, ValueError | KeyError | TypeError) and not row.kind:
        return DataError("plugin.data", f"{type(error).__name__} while delivering")
    return PluginError(
        "plugin.raised",
        f"the plugin of {row.destination} raised {type(error).__name__}",
        fix="Look at the log, and update the plugin.",
    )
