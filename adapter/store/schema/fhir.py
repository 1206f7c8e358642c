"""What the FHIR API shows, to whom, and who is told of news."""

from __future__ import annotations

from sqlalchemy import Index, Table

from adapter.store.schema.columns import flag, metadata, number, octets, text, where

resources = Table(
    "resources",
    metadata,
    number("sequence", key=True),  # from the time, see ids.new_number
    text("type"),
    text("id"),
    number("version"),
    number("current", null=True),  # 1 in the newest version, NULL in older ones
    text("organization"),
    text("referral", null=True),
    text("status", null=True),
    text("code", null=True),
    text("date", null=True),
    octets("subject", null=True),
    flag("deleted"),
    number("last_updated"),
    octets("content_hash", null=True),
    octets("content_sealed", null=True),
    Index("resources_version", "id", "type", "version", unique=True),
    # Not led by type: a message writes a dozen types, and each would touch a page of its own.
    Index("resources_current", "sequence", "type", **where("current IS NOT NULL")),
    Index("resources_subject", "subject", "sequence", **where("subject IS NOT NULL")),
)

# Of a resource, not of its versions: what was true of an older one may stand here still.
resource_keys = Table(
    "resource_keys",
    metadata,
    octets("key", key=True),
    text("id", key=True),
    text("type", key=True),
    text("organization"),
    sqlite_with_rowid=False,
)

# Who may see what by the FHIR API: an organization outside, by the name that it is registered with.
parties = Table(
    "parties",
    metadata,
    text("party", key=True),
    text("id", key=True),
    text("type", key=True),
    text("organization"),
    flag("owns"),  # may write it; of a request: is its requester
    flag("performs"),
    text("referral", null=True),  # where it is seen as this referral is disclosed to a performer
    Index("parties_id", "id"),
    sqlite_with_rowid=False,
)

clients = Table(
    "clients",
    metadata,
    text("id", key=True),
    text("organization"),
    text("name"),
    text("party"),
    text("scopes"),
    text("jwks_url", null=True),
    text("jwks", null=True),
    number("created_at"),
    number("disabled_at", null=True),
    Index("clients_name", "name", unique=True),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    text("id", key=True),
    text("organization"),
    text("party", null=True),
    text("client", null=True),
    text("topic"),
    text("state"),
    number("events"),
    number("delivered"),
    number("failures"),
    number("heartbeat", null=True),  # seconds
    number("due_at", null=True),  # NULL while there is nothing to send
    number("leased_until"),
    text("error", null=True),
    Index("subscriptions_due", "due_at", **where("due_at IS NOT NULL")),
    Index("subscriptions_topic", "topic", "state"),
)

subscription_events = Table(
    "subscription_events",
    metadata,
    text("subscription", key=True),
    number("number", key=True),
    text("organization"),
    text("type"),
    text("id"),
    number("version"),
    number("at"),
    sqlite_with_rowid=False,
)
