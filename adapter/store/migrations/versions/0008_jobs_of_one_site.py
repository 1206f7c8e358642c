"""The next job of a site is found by one index (PostgreSQL): see `Dialect.jobs_by_site`."""

from __future__ import annotations

from alembic import context, op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    dialect = context.config.attributes["dialect"]
    connection = op.get_bind().execution_options(no_parameters=True)
    for statement in dialect.jobs_by_site():
        connection.exec_driver_sql(statement)
