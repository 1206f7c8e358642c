"""The first tables."""

from __future__ import annotations

from alembic import context, op

from adapter.store import schema
from adapter.store.dialect import Dialect

revision = "0001"
down_revision = None


def upgrade() -> None:
    dialect: Dialect = context.config.attributes["dialect"]
    schema.metadata.create_all(op.get_bind(), checkfirst=False)
    for name in schema.APPEND_ONLY:
        for statement in dialect.append_only(name):
            op.execute(statement)
        op.bulk_insert(
            schema.chains, [{"name": name, "sequence": 0, "hash": bytes(32), "seal": b""}]
        )
