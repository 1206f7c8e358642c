"""What came in and what goes out."""

from __future__ import annotations

from sqlalchemy import Index, Table

from adapter.store.schema.columns import flag, metadata, number, octets, sequence, text, where

inbox = Table(
    "inbox",
    metadata,
    sequence(),
    text("id"),
    text("organization"),
    text("site"),
    octets("key_hash", null=True),  # NULL where refused: a refused key may come again
    octets("key_sealed", null=True),
    octets("content_hash"),
    text("format"),
    text("kind", null=True),
    text("dialect", null=True),
    flag("test"),
    text("state"),
    number("pending", null=True),  # 1 while nothing was done with it, then NULL
    text("code", null=True),
    text("error", null=True),
    text("fix", null=True),
    text("referral", null=True),
    number("received_at"),
    number("done_at", null=True),
    Index("inbox_id", "id", unique=True),
    Index("inbox_key", "site", "key_hash", unique=True, **where("key_hash IS NOT NULL")),
    Index("inbox_pending", "site", "sequence", **where("pending IS NOT NULL")),
)

# Bytes that never change stand apart from a row that does: a mark must not write a megabyte again.
inbox_bodies = Table(
    "inbox_bodies",
    metadata,
    number("sequence", key=True),
    text("organization"),
    octets("raw_sealed", null=True),
    octets("answer_sealed", null=True),
)

outbox = Table(
    "outbox",
    metadata,
    sequence(),
    text("id"),
    text("organization"),
    text("referral"),
    text("fulfilment", null=True),
    text("destination"),
    number("lane_sequence"),
    text("event"),
    text("kind"),
    flag("test"),
    text("state"),
    number("attempts"),
    number("created_at"),
    number("next_at"),
    number("due_at", null=True),  # next_at while the row is due and heads its lane, else NULL
    text("claimed_by", null=True),
    number("claimed_at", null=True),
    number("done_at", null=True),
    octets("external_ids_sealed", null=True),
    text("code", null=True),
    text("error", null=True),
    text("fix", null=True),
    text("reason", null=True),
    Index("outbox_id", "id", unique=True),
    Index("outbox_lane", "referral", "destination", "lane_sequence", unique=True),
    Index("outbox_due", "destination", "due_at", **where("due_at IS NOT NULL")),
    Index("outbox_claimed", "claimed_by", **where("claimed_by IS NOT NULL")),
    Index("outbox_stuck", "destination", "state", **where("state IN ('dead', 'quarantined')")),
)

outbox_bodies = Table(
    "outbox_bodies",
    metadata,
    number("sequence", key=True),
    text("organization"),
    octets("document_sealed", null=True),
    octets("notice_sealed", null=True),
)
