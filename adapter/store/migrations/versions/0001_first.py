"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision = None

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    _audit()
    _cases()
    _chains()
    _data_keys()
    _facts()
    _fulfilments()
    _identifiers()
    _inbox()
    _inbox_bodies()
    _journal()
    _outbox()
    _outbox_bodies()
    _plugin_state()
    _resource_keys()
    _resources()
    _sites()
    dialect = context.config.attributes["dialect"]
    for name in ("journal", "audit"):
        for statement in dialect.append_only(name):
            op.execute(statement)
        op.execute(
            sa.text(
                "INSERT INTO chains (name, sequence, hash, seal) VALUES (:name, 0, :hash, :seal)"
            ).bindparams(
                sa.bindparam("name", name),
                sa.bindparam("hash", bytes(32), sa.LargeBinary()),
                sa.bindparam("seal", b"", sa.LargeBinary()),
            )
        )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("sequence", _SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("referral", sa.Text(), nullable=True),
        sa.Column("event_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index(
        "audit_referral", "audit", ["referral", "sequence"], **_where("referral IS NOT NULL")
    )


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
        sa.Column("document_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _chains() -> None:
    op.create_table(
        "chains",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _data_keys() -> None:
    op.create_table(
        "data_keys",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("destroyed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("data_keys_owner", "data_keys", ["owner"])


def _facts() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _fulfilments() -> None:
    op.create_table(
        "fulfilments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("referral", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("destination", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("business_status", sa.Text(), nullable=True),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("document_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("fulfilments_referral", "fulfilments", ["referral"])


def _identifiers() -> None:
    op.create_table(
        "identifiers",
        sa.Column("value_hash", sa.LargeBinary(), nullable=False),
        sa.Column("owner_type", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("value_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("value_hash", "owner_type", "owner_id", "site"),
        sqlite_with_rowid=False,
    )
    op.create_index("identifiers_owner", "identifiers", ["owner_id"])


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("sequence", _SEQUENCE, sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=True),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("dialect", sa.Text(), nullable=True),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("fix", sa.Text(), nullable=True),
        sa.Column("referral", sa.Text(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("inbox_id", "inbox", ["id"], unique=True)
    op.create_index(
        "inbox_key", "inbox", ["site", "key_hash"], unique=True, **_where("key_hash IS NOT NULL")
    )
    op.create_index("inbox_pending", "inbox", ["site", "sequence"], **_where("pending IS NOT NULL"))


def _inbox_bodies() -> None:
    op.create_table(
        "inbox_bodies",
        sa.Column("sequence", _SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("raw_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("sequence", _SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("referral", sa.Text(), nullable=True),
        sa.Column("fulfilment", sa.Text(), nullable=True),
        sa.Column("inbox", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index(
        "journal_referral", "journal", ["referral", "sequence"], **_where("referral IS NOT NULL")
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("sequence", _SEQUENCE, sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("referral", sa.Text(), nullable=False),
        sa.Column("fulfilment", sa.Text(), nullable=True),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("lane_sequence", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("external_ids_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("fix", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("outbox_claimed", "outbox", ["claimed_by"], **_where("claimed_by IS NOT NULL"))
    op.create_index(
        "outbox_due", "outbox", ["destination", "due_at"], **_where("due_at IS NOT NULL")
    )
    op.create_index("outbox_id", "outbox", ["id"], unique=True)
    op.create_index(
        "outbox_lane", "outbox", ["referral", "destination", "lane_sequence"], unique=True
    )


def _outbox_bodies() -> None:
    op.create_table(
        "outbox_bodies",
        sa.Column("sequence", _SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("document_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("notice_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
    )


def _plugin_state() -> None:
    op.create_table(
        "plugin_state",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("value_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site", "key_hash"),
    )
    op.create_index(
        "plugin_state_expires", "plugin_state", ["expires_at"], **_where("expires_at IS NOT NULL")
    )


def _resource_keys() -> None:
    op.create_table(
        "resource_keys",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", _SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "sequence"),
        sqlite_with_rowid=False,
    )


def _resources() -> None:
    op.create_table(
        "resources",
        sa.Column("sequence", _SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("current", sa.BigInteger(), nullable=True),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("referral", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("date", sa.Text(), nullable=True),
        sa.Column("subject", sa.LargeBinary(), nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("last_updated", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=True),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index(
        "resources_current", "resources", ["sequence", "type"], **_where("current IS NOT NULL")
    )
    op.create_index(
        "resources_subject", "resources", ["subject", "sequence"], **_where("subject IS NOT NULL")
    )
    op.create_index("resources_version", "resources", ["id", "type", "version"], unique=True)


def _sites() -> None:
    op.create_table(
        "sites",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("fix", sa.Text(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site"),
    )
