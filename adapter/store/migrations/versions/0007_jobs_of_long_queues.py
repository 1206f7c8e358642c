"""The queue of jobs stays as quick when it is long (PostgreSQL): see `Dialect.job_indexes`."""

from __future__ import annotations

from alembic import context, op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    dialect = context.config.attributes["dialect"]
    connection = op.get_bind().execution_options(no_parameters=True)
    for statement in dialect.job_indexes():
        connection.exec_driver_sql(statement)
