"""Referrals, what is done about each, and the numbers by which they are found."""

from __future__ import annotations

from sqlalchemy import Index, Table

from adapter.store.schema.columns import flag, metadata, number, octets, text

cases = Table(
    "cases",
    metadata,
    text("id", key=True),
    text("organization"),
    text("site"),
    text("status"),
    flag("test"),
    number("version"),
    number("received_at"),
    number("updated_at"),
    number("erased_at", null=True),
    octets("document_sealed", null=True),
)

fulfilments = Table(
    "fulfilments",
    metadata,
    text("id", key=True),
    text("organization"),
    text("referral"),
    text("parent", null=True),
    text("destination", null=True),
    text("status"),
    text("business_status", null=True),
    text("reason_code", null=True),
    number("version"),
    number("created_at"),
    number("updated_at"),
    octets("document_sealed", null=True),
    Index("fulfilments_referral", "referral"),
)

identifiers = Table(
    "identifiers",
    metadata,
    octets("value_hash", key=True),
    text("owner_type", key=True),
    text("owner_id", key=True),
    text("site", key=True),
    text("organization"),
    text("system"),
    number("added_at"),
    octets("value_sealed", null=True),
    Index("identifiers_owner", "owner_id"),
    sqlite_with_rowid=False,
)
