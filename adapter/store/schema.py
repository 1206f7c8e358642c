"""Every table of the store. Migrations make them; queries are written against these.

Rules: every row has its organization, but for the store's own facts and chain heads; ids are text;
times are microseconds since 1970 in UTC; what may hold PHI is encrypted bytes (``_sealed``) or a
keyed hash (``_hash``). A column that is NULL unless a row waits for something keeps its partial
index as small as the queue, not as the table.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    text,
)
from sqlalchemy import Table as _Table
from sqlalchemy import Text as _Text

HEAD = "0008"

metadata = MetaData()
_Sequence = BigInteger().with_variant(Integer, "sqlite")


def _sequence() -> Column[int]:
    return Column("sequence", _Sequence, Identity(), primary_key=True)


def _text(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, _Text, primary_key=key, nullable=null)


def _number(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    kind = _Sequence if key else BigInteger
    return Column(name, kind, primary_key=key, nullable=null, autoincrement=False)


def _bytes(name: str, *, key: bool = False, null: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, primary_key=key, nullable=null)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _where(condition: str) -> dict[str, Any]:
    clause = text(condition)
    return {"sqlite_where": clause, "postgresql_where": clause}


facts = _Table("facts", metadata, _text("name", key=True), _bytes("value"))

data_keys = _Table(
    "data_keys",
    metadata,
    _bytes("id", key=True),
    _text("organization"),
    _text("owner"),
    _text("key_id"),
    _bytes("wrapped", null=True),
    _number("created_at"),
    _number("destroyed_at", null=True),
    Index("data_keys_owner", "owner"),
    sqlite_with_rowid=False,
)

chains = _Table(
    "chains", metadata, _text("name", key=True), _number("sequence"), _bytes("hash"), _bytes("seal")
)

inbox = _Table(
    "inbox",
    metadata,
    _sequence(),
    _text("id"),
    _text("organization"),
    _text("site"),
    _bytes("key_hash", null=True),  # NULL where refused: a refused key may come again
    _bytes("key_sealed", null=True),
    _bytes("content_hash"),
    _text("format"),
    _text("kind", null=True),
    _text("dialect", null=True),
    _flag("test"),
    _text("state"),
    _number("pending", null=True),  # 1 while nothing was done with it, then NULL
    _text("code", null=True),
    _text("error", null=True),
    _text("fix", null=True),
    _text("referral", null=True),
    _number("received_at"),
    _number("done_at", null=True),
    Index("inbox_id", "id", unique=True),
    Index("inbox_key", "site", "key_hash", unique=True, **_where("key_hash IS NOT NULL")),
    Index("inbox_pending", "site", "sequence", **_where("pending IS NOT NULL")),
)

# Bytes that never change stand apart from a row that does: a mark must not write a megabyte again.
inbox_bodies = _Table(
    "inbox_bodies",
    metadata,
    _number("sequence", key=True),
    _text("organization"),
    _bytes("raw_sealed", null=True),
    _bytes("answer_sealed", null=True),
)

journal = _Table(
    "journal",
    metadata,
    _number("sequence", key=True),
    _text("id"),
    _text("organization"),
    _text("referral", null=True),
    _text("fulfilment", null=True),
    _text("inbox", null=True),
    _text("actor"),
    _text("site", null=True),
    _text("kind"),
    _bytes("data_sealed"),
    _number("occurred_at"),
    _number("recorded_at"),
    _bytes("hash"),
    Index("journal_referral", "referral", "sequence", **_where("referral IS NOT NULL")),
)

cases = _Table(
    "cases",
    metadata,
    _text("id", key=True),
    _text("organization"),
    _text("site"),
    _text("status"),
    _flag("test"),
    _number("version"),
    _number("received_at"),
    _number("updated_at"),
    _number("erased_at", null=True),
    _bytes("document_sealed", null=True),
)

fulfilments = _Table(
    "fulfilments",
    metadata,
    _text("id", key=True),
    _text("organization"),
    _text("referral"),
    _text("parent", null=True),
    _text("destination", null=True),
    _text("status"),
    _text("business_status", null=True),
    _text("reason_code", null=True),
    _number("version"),
    _number("created_at"),
    _number("updated_at"),
    _bytes("document_sealed", null=True),
    Index("fulfilments_referral", "referral"),
)

identifiers = _Table(
    "identifiers",
    metadata,
    _bytes("value_hash", key=True),
    _text("owner_type", key=True),
    _text("owner_id", key=True),
    _text("site", key=True),
    _text("organization"),
    _text("system"),
    _number("added_at"),
    _bytes("value_sealed", null=True),
    Index("identifiers_owner", "owner_id"),
    sqlite_with_rowid=False,
)

resources = _Table(
    "resources",
    metadata,
    _number("sequence", key=True),  # from the time, see ids.new_number
    _text("type"),
    _text("id"),
    _number("version"),
    _number("current", null=True),  # 1 in the newest version, NULL in older ones
    _text("organization"),
    _text("referral", null=True),
    _text("status", null=True),
    _text("code", null=True),
    _text("date", null=True),
    _bytes("subject", null=True),
    _flag("deleted"),
    _number("last_updated"),
    _bytes("content_hash", null=True),
    _bytes("content_sealed", null=True),
    Index("resources_version", "id", "type", "version", unique=True),
    # Not led by type: a message writes a dozen types, and each would touch a page of its own.
    Index("resources_current", "sequence", "type", **_where("current IS NOT NULL")),
    Index("resources_subject", "subject", "sequence", **_where("subject IS NOT NULL")),
)

# Of a resource, not of its versions: what was true of an older one may stand here still.
resource_keys = _Table(
    "resource_keys",
    metadata,
    _bytes("key", key=True),
    _text("id", key=True),
    _text("type", key=True),
    _text("organization"),
    sqlite_with_rowid=False,
)

outbox = _Table(
    "outbox",
    metadata,
    _sequence(),
    _text("id"),
    _text("organization"),
    _text("referral"),
    _text("fulfilment", null=True),
    _text("destination"),
    _number("lane_sequence"),
    _text("event"),
    _text("kind"),
    _flag("test"),
    _text("state"),
    _number("attempts"),
    _number("created_at"),
    _number("next_at"),
    _number("due_at", null=True),  # next_at while the row is due and heads its lane, else NULL
    _text("claimed_by", null=True),
    _number("claimed_at", null=True),
    _number("done_at", null=True),
    _bytes("external_ids_sealed", null=True),
    _text("code", null=True),
    _text("error", null=True),
    _text("fix", null=True),
    _text("reason", null=True),
    Index("outbox_id", "id", unique=True),
    Index("outbox_lane", "referral", "destination", "lane_sequence", unique=True),
    Index("outbox_due", "destination", "due_at", **_where("due_at IS NOT NULL")),
    Index("outbox_claimed", "claimed_by", **_where("claimed_by IS NOT NULL")),
    Index("outbox_stuck", "destination", "state", **_where("state IN ('dead', 'quarantined')")),
)

outbox_bodies = _Table(
    "outbox_bodies",
    metadata,
    _number("sequence", key=True),
    _text("organization"),
    _bytes("document_sealed", null=True),
    _bytes("notice_sealed", null=True),
)

sites = _Table(
    "sites",
    metadata,
    _text("site", key=True),
    _text("organization"),
    _text("state"),
    _text("code", null=True),
    _text("error", null=True),
    _text("fix", null=True),
    _number("since"),
    _number("updated_at"),
)

plugin_state = _Table(
    "plugin_state",
    metadata,
    _text("site", key=True),
    _bytes("key_hash", key=True),
    _text("organization"),
    _bytes("value_sealed"),
    _number("expires_at", null=True),
    Index("plugin_state_expires", "expires_at", **_where("expires_at IS NOT NULL")),
)

audit = _Table(
    "audit",
    metadata,
    _number("sequence", key=True),
    _text("id"),
    _text("organization"),
    _text("referral", null=True),
    _bytes("event_sealed"),
    _number("recorded_at"),
    _bytes("hash"),
    Index("audit_referral", "referral", "sequence", **_where("referral IS NOT NULL")),
)

# Who may see what by the FHIR API: an organization outside, by the name that it is registered with.
parties = _Table(
    "parties",
    metadata,
    _text("party", key=True),
    _text("id", key=True),
    _text("type", key=True),
    _text("organization"),
    _flag("owns"),  # may write it; of a request: is its requester
    _flag("performs"),
    _text("referral", null=True),  # where it is seen as this referral is disclosed to a performer
    Index("parties_id", "id"),
    sqlite_with_rowid=False,
)

clients = _Table(
    "clients",
    metadata,
    _text("id", key=True),
    _text("organization"),
    _text("name"),
    _text("party"),
    _text("scopes"),
    _text("jwks_url", null=True),
    _text("jwks", null=True),
    _number("created_at"),
    _number("disabled_at", null=True),
    Index("clients_name", "name", unique=True),
)

subscriptions = _Table(
    "subscriptions",
    metadata,
    _text("id", key=True),
    _text("organization"),
    _text("party", null=True),
    _text("client", null=True),
    _text("topic"),
    _text("state"),
    _number("events"),
    _number("delivered"),
    _number("failures"),
    _number("heartbeat", null=True),  # seconds
    _number("due_at", null=True),  # NULL while there is nothing to send
    _number("leased_until"),
    _text("error", null=True),
    Index("subscriptions_due", "due_at", **_where("due_at IS NOT NULL")),
    Index("subscriptions_topic", "topic", "state"),
)

subscription_events = _Table(
    "subscription_events",
    metadata,
    _text("subscription", key=True),
    _number("number", key=True),
    _text("organization"),
    _text("type"),
    _text("id"),
    _number("version"),
    _number("at"),
    sqlite_with_rowid=False,
)

polls = _Table(
    "polls",
    metadata,
    _text("site", key=True),
    _text("organization"),
    _bytes("cursor_sealed", null=True),
    _text("owner", null=True),  # the worker that asks now
    _number("leased_until"),
    _number("tries"),
    _number("polled_at", null=True),
    _number("next_at", null=True),  # NULL: not before somebody says so
    _text("code", null=True),
    _text("error", null=True),
    _text("fix", null=True),
)

directories = _Table(
    "directories",
    metadata,
    _text("site", key=True),
    _text("organization"),
    _text("owner", null=True),  # the worker that asks now
    _number("leased_until"),
    _number("tries"),
    _number("polled_at", null=True),
    _number("next_at", null=True),  # NULL: not before somebody says so
    _text("code", null=True),
    _text("error", null=True),
    _text("fix", null=True),
    _number("listed_at", null=True),  # of when the list is that stands in listed_programs
    _number("reported_at", null=True),
    _number("revision"),
    _text("left_out", null=True),
)

# What a community offers says nothing about a person, so that it may stand in clear.
listed_programs = _Table(
    "listed_programs",
    metadata,
    _text("site", key=True),
    _text("id", key=True),
    _text("organization"),
    _number("place"),
    _text("listing", null=True),
    _text("capacity", null=True),
)

APPEND_ONLY = ("journal", "audit")
