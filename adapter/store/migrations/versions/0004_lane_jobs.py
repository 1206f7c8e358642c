"""Jobs for lanes, where several processes share the store (PostgreSQL); an index of what is stuck.

Procrastinate's own tables come from the package; our trigger puts a job for a lane into them in the
very transaction that makes the lane due, whichever statement that is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0004"
down_revision = "0003"


_STUCK = sa.text("state IN ('dead', 'quarantined')")


def upgrade() -> None:
    op.create_index(
        "outbox_stuck",
        "outbox",
        ["destination", "state"],
        sqlite_where=_STUCK,
        postgresql_where=_STUCK,
    )
    dialect = context.config.attributes["dialect"]
    connection = op.get_bind().execution_options(no_parameters=True)
    for statement in dialect.job_tables():
        connection.exec_driver_sql(statement)
