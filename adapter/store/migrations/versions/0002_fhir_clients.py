"""Who may use the FHIR API and see what there; subscriptions and their events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _parties()
    _clients()
    _subscriptions()
    _subscription_events()


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _parties() -> None:
    op.create_table(
        "parties",
        _text("party"),
        _text("id"),
        _text("type"),
        _text("organization"),
        sa.Column("owns", sa.Boolean(), nullable=False),
        sa.Column("performs", sa.Boolean(), nullable=False),
        _text("referral", null=True),
        sa.PrimaryKeyConstraint("party", "id", "type"),
        sqlite_with_rowid=False,
    )
    op.create_index("parties_id", "parties", ["id"])


def _clients() -> None:
    op.create_table(
        "clients",
        _text("id"),
        _text("organization"),
        _text("name"),
        _text("party"),
        _text("scopes"),
        _text("jwks_url", null=True),
        _text("jwks", null=True),
        _number("created_at"),
        _number("disabled_at", null=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("clients_name", "clients", ["name"], unique=True)


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        _text("id"),
        _text("organization"),
        _text("party", null=True),
        _text("client", null=True),
        _text("topic"),
        _text("state"),
        _number("events"),
        _number("delivered"),
        _number("failures"),
        _number("heartbeat", null=True),
        _number("due_at", null=True),
        _number("leased_until"),
        _text("error", null=True),
        sa.PrimaryKeyConstraint("id"),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "subscriptions_due", "subscriptions", ["due_at"], sqlite_where=due, postgresql_where=due
    )
    op.create_index("subscriptions_topic", "subscriptions", ["topic", "state"])


def _subscription_events() -> None:

    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "subscription_events",
        _text("subscription"),
        sa.Column("number", kind, autoincrement=False, nullable=False),
        _text("organization"),
        _text("type"),
        _text("id"),
        _number("version"),
        _number("at"),
        sa.PrimaryKeyConstraint("subscription", "number"),
        sqlite_with_rowid=False,
    )
