"""What the store keeps of itself: its proof and its keys, and the two chains of what happened."""

from __future__ import annotations

from sqlalchemy import Index, Table

from adapter.store.schema.columns import metadata, number, octets, text, where

facts = Table("facts", metadata, text("name", key=True), octets("value"))

data_keys = Table(
    "data_keys",
    metadata,
    octets("id", key=True),
    text("organization"),
    text("owner"),
    text("key_id"),
    octets("wrapped", null=True),
    number("created_at"),
    number("destroyed_at", null=True),
    Index("data_keys_owner", "owner"),
    sqlite_with_rowid=False,
)

chains = Table(
    "chains", metadata, text("name", key=True), number("sequence"), octets("hash"), octets("seal")
)

journal = Table(
    "journal",
    metadata,
    number("sequence", key=True),
    text("id"),
    text("organization"),
    text("referral", null=True),
    text("fulfilment", null=True),
    text("inbox", null=True),
    text("actor"),
    text("site", null=True),
    text("kind"),
    octets("data_sealed"),
    number("occurred_at"),
    number("recorded_at"),
    octets("hash"),
    Index("journal_referral", "referral", "sequence", **where("referral IS NOT NULL")),
)

audit = Table(
    "audit",
    metadata,
    number("sequence", key=True),
    text("id"),
    text("organization"),
    text("referral", null=True),
    octets("event_sealed"),
    number("recorded_at"),
    octets("hash"),
    Index("audit_referral", "referral", "sequence", **where("referral IS NOT NULL")),
)
