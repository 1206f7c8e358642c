"""Every table of the store. Migrations make them; queries are written against these.

Rules: every row has its organization, but for the store's own facts and chain heads; ids are text;
times are microseconds since 1970 in UTC; what may hold PHI is encrypted bytes (``_sealed``) or a
keyed hash (``_hash``). A column that is NULL unless a row waits for something keeps its partial
index as small as the queue, not as the table.
"""

from __future__ import annotations

from adapter.store.schema.columns import metadata
from adapter.store.schema.connections import (
    directories,
    listed_programs,
    plugin_state,
    polls,
    sites,
)
from adapter.store.schema.fhir import (
    clients,
    parties,
    resource_keys,
    resources,
    subscription_events,
    subscriptions,
)
from adapter.store.schema.queues import inbox, inbox_bodies, outbox, outbox_bodies
from adapter.store.schema.records import audit, chains, data_keys, facts, journal
from adapter.store.schema.referrals import cases, fulfilments, identifiers

HEAD = "0008"
"""The newest migration."""

__all__ = [
    "HEAD",
    "audit",
    "cases",
    "chains",
    "clients",
    "data_keys",
    "directories",
    "facts",
    "fulfilments",
    "identifiers",
    "inbox",
    "inbox_bodies",
    "journal",
    "listed_programs",
    "metadata",
    "outbox",
    "outbox_bodies",
    "parties",
    "plugin_state",
    "polls",
    "resource_keys",
    "resources",
    "sites",
    "subscription_events",
    "subscriptions",
]
