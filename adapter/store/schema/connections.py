"""What is remembered of each site: how it stands, how far it was asked, what it offers."""

from __future__ import annotations

from sqlalchemy import Index, Table

from adapter.store.schema.columns import metadata, number, octets, text, where

sites = Table(
    "sites",
    metadata,
    text("site", key=True),
    text("organization"),
    text("state"),
    text("code", null=True),
    text("error", null=True),
    text("fix", null=True),
    number("since"),
    number("updated_at"),
)

plugin_state = Table(
    "plugin_state",
    metadata,
    text("site", key=True),
    octets("key_hash", key=True),
    text("organization"),
    octets("value_sealed"),
    number("expires_at", null=True),
    Index("plugin_state_expires", "expires_at", **where("expires_at IS NOT NULL")),
)

polls = Table(
    "polls",
    metadata,
    text("site", key=True),
    text("organization"),
    octets("cursor_sealed", null=True),
    text("owner", null=True),  # the worker that asks now
    number("leased_until"),
    number("tries"),
    number("polled_at", null=True),
    number("next_at", null=True),  # NULL: not before somebody says so
    text("code", null=True),
    text("error", null=True),
    text("fix", null=True),
)

directories = Table(
    "directories",
    metadata,
    text("site", key=True),
    text("organization"),
    text("owner", null=True),  # the worker that asks now
    number("leased_until"),
    number("tries"),
    number("polled_at", null=True),
    number("next_at", null=True),  # NULL: not before somebody says so
    text("code", null=True),
    text("error", null=True),
    text("fix", null=True),
    number("listed_at", null=True),  # of when the list is that stands in listed_programs
    number("reported_at", null=True),
    number("revision"),
    text("left_out", null=True),
)

# What a community offers says nothing about a person, so that it may stand in clear.
listed_programs = Table(
    "listed_programs",
    metadata,
    text("site", key=True),
    text("id", key=True),
    text("organization"),
    number("place"),
    text("listing", null=True),
    text("capacity", null=True),
)
