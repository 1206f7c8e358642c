"""How Alembic runs a migration here: on the store's own connection, all in one transaction."""

from __future__ import annotations

from alembic import context

from adapter.store import schema
from adapter.store.dialect import Dialect


def run() -> None:
    dialect: Dialect = context.config.attributes["dialect"]
    engine = dialect.engine()
    try:
        with engine.begin() as connection:
            context.configure(connection=connection, target_metadata=schema.metadata)
            context.run_migrations()
            if (then := context.config.attributes.get("then")) is not None:
                then(connection)
    finally:
        engine.dispose()


run()
