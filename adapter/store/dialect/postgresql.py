"""PostgreSQL through psycopg 3: several processes on one store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import psycopg as driver
from sqlalchemy.engine.interfaces import Dialect as CompilerDialect

from adapter.plugin.messages import Check
from adapter.store.dialect.interface import FREE_SPACE, LOOK_AT_DISK, Dialect
from adapter.store.errors import RaceError, StoreError, StoreFault


class Postgresql(Dialect):
    """PostgreSQL, for several processes on one store."""

    name = "postgresql"
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED"
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    begin_migration = ("BEGIN", "SELECT pg_advisory_xact_lock(7263947201)")
    scrub = ("VACUUM data_keys",)
    shared = True

    errors = psycopg.Error
    compiler: CompilerDialect = driver.PGDialect_psycopg(  # type: ignore[no-untyped-call]
        paramstyle="format"
    )

    def insert(self, table: Table) -> Any:
        """PostgreSQL's insert."""
        return postgresql.insert(table)

    def exists(self) -> bool:
        """True: only connecting shows it."""
        return True

    def connect(self, *, writer: bool) -> Any:
        """A connection to a server that flushes at every commit, asserted."""
        plain = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            connection = psycopg.connect(
                plain, autocommit=True, connect_timeout=5, application_name="adapter"
            )
            kept = connection.execute("SHOW synchronous_commit").fetchone()
            fsync = connection.execute("SHOW fsync").fetchone()
            # Every query that is asked often has its index, and a plan made while a table was empty
            # must not read it whole when it is large: plan once, by the index.
            connection.execute("SET plan_cache_mode = force_generic_plan")
            connection.execute("SET enable_seqscan = off")
        except psycopg.Error as error:
            raise self.fault(error) from None
        if kept is None or fsync is None or kept[0] == "off" or fsync[0] == "off":
            connection.close()
            raise StoreFault(
                "store.not-durable",
                "PostgreSQL would not keep an acknowledged message through a power loss"
                " (fsync or synchronous_commit is off).",
                fix="Set fsync = on and synchronous_commit = on for this database.",
            )
        return connection

    def broken(self, connection: Any) -> bool:
        """True if the server is gone."""
        return bool(connection.closed or connection.broken)

    def fault(self, error: Exception) -> StoreError:
        """By SQLSTATE; an error without one means that the server did not answer."""
        state = getattr(error, "sqlstate", None) or ""
        if state in ("40001", "40P01"):
            return RaceError("store.race", "Two writers met.", fix="Try again.", detail=state)
        if state[:2] in ("22", "23"):
            return StoreError("store.constraint", "The store refused a row.", detail=state)
        if not state:  # libpq gives no SQLSTATE for a connection that was never made
            said = _REFUSED if "FATAL:" in str(error) else _DOWN
        else:
            faults = _POSTGRESQL_FAULTS.items()
            said = next((each for start, each in faults if state.startswith(start)), _FAILED)
        code, message, fix = said
        return StoreFault(code, message, fix=fix, detail=state or type(error).__name__)

    def integrity(self, cursor: Any) -> Check:
        """Whether the server checks pages when it reads them; the other checks read them all."""
        row = cursor.execute("SHOW data_checksums").fetchone()
        if row is not None and row[0] == "on":
            return Check(name="integrity", state="ok", detail="the server checks every page")
        return Check(
            name="integrity",
            state="warn",
            detail="the server does not check its pages",
            fix="Turn page checksums on with pg_checksums --enable while the server is stopped.",
        )

    def after_load(self, table: Table) -> Sequence[str]:
        """Let the numbers that the server gives go on after the highest that is there."""
        column = table.c.get("sequence")
        if column is None or column.identity is None:
            return ()
        name = table.name
        return (
            f"SELECT setval(pg_get_serial_sequence('{name}', 'sequence'),"  # noqa: S608 - our own name
            f" (SELECT coalesce(max(sequence), 0) + 1 FROM {name}), false)",
        )

    def is_missing_table(self, error: Exception) -> bool:
        """By SQLSTATE 42P01."""
        return getattr(error, "sqlstate", None) == "42P01"

    def job_tables(self) -> Sequence[str]:
        """Procrastinate's tables, and the trigger that puts a lane's job there when it is due."""
        from procrastinate.schema import SchemaManager

        return [
            SchemaManager.get_schema(),
            LANE_JOB,
            "CREATE TRIGGER outbox_lane_job AFTER INSERT OR UPDATE OF due_at ON outbox FOR EACH ROW"
            " WHEN (NEW.due_at IS NOT NULL) EXECUTE FUNCTION outbox_lane_job()",
            "UPDATE outbox SET due_at = due_at WHERE due_at IS NOT NULL",
        ]

    def job_indexes(self) -> Sequence[str]:
        """An index by lock instead of one that names the lock last; no diary of jobs.

        Whoever takes a job asks whether another job has its lock. By Procrastinate's own index that
        reads every job that waits: with ten thousand, a third of a second for each job. Its events
        are written for each job that comes and goes, and nobody here reads them: the journal says
        what happened.
        """
        return [
            "DROP INDEX IF EXISTS procrastinate_jobs_id_lock_idx_v1",
            "CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON procrastinate_jobs (lock, id)"
            " WHERE status IN ('todo', 'doing')",
            *(
                f"ALTER TABLE procrastinate_jobs"
                f" DISABLE TRIGGER procrastinate_trigger_status_events_{verb}_v1"
                for verb in ("insert", "update")
            ),
        ]

    def jobs_by_site(self) -> Sequence[str]:
        """An index of what waits, by site and age, instead of one of all jobs by site and one of
        what waits by age, which reads past everything that waits for other sites.

        And a word that is the same for every job: PostgreSQL says it once for a transaction,
        however many lanes became due in it. Each worker would read each word, to learn only that
        it is to look.
        """
        return [
            "DROP INDEX IF EXISTS procrastinate_jobs_queue_name_idx_v1",
            "DROP INDEX IF EXISTS procrastinate_jobs_priority_idx_v1",
            "CREATE INDEX procrastinate_jobs_waiting ON procrastinate_jobs"
            " (queue_name, priority DESC, id) WHERE status = 'todo'",
            JOB_WORD,
        ]

    def append_only(self, table: str) -> Sequence[str]:
        """Triggers that refuse."""
        return [
            f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$"
            f" BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION {table}_append_only()",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
        ]


# A lane has at most one job that waits (queueing_lock) and one that runs (lock). What is due later
# gets its job from the sweep when its time comes, so that the queue holds what can be done now.
# The conflict touches the waiting job, so that nobody takes it before this transaction is
# committed, finds nothing due, and leaves the lane without a job.
LANE_JOB = """
CREATE FUNCTION outbox_lane_job() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE lane text := NEW.referral || '|' || NEW.destination;
BEGIN
    IF NEW.due_at <= extract(epoch FROM clock_timestamp()) * 1000000 THEN
        INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
        VALUES (NEW.destination, 'deliver', lane, lane,
                jsonb_build_object('referral', NEW.referral, 'destination', NEW.destination))
        ON CONFLICT (queueing_lock) WHERE status = 'todo'
        DO UPDATE SET priority = procrastinate_jobs.priority;
    END IF;
    RETURN NULL;
END $$
"""

# In place of Procrastinate's own, which names the job, and says it on a second channel too.
JOB_WORD = """
CREATE OR REPLACE FUNCTION procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name,
                      '{"type": "job_inserted", "job_id": 0}');
    RETURN NEW;
END $$
"""

_DOWN = (
    "store.down",
    "The database server does not answer.",
    "Start PostgreSQL, or check the address of the store; the service goes on by itself.",
)
_REFUSED = (
    "store.refused",
    "The database server refused the connection.",
    "Check user, password and database in the address of the store; create the database if needed.",
)
_FAILED = ("store.failed", "PostgreSQL could not do it.", "")
_POSTGRESQL_FAULTS: dict[str, tuple[str, str, str]] = {
    "53100": ("store.full", "The disk of the database server is full.", FREE_SPACE),
    "53": (
        "store.busy",
        "The database server takes no more.",
        "Raise max_connections, or run fewer workers.",
    ),
    "08": _DOWN,
    "57P": _DOWN,
    "25006": (
        "store.read-only",
        "The database takes no writes.",
        "Connect to the primary server, not to a copy.",
    ),
    "28": _REFUSED,
    "3D": _REFUSED,
    "42501": (
        "store.refused",
        "The account may not do that in this database.",
        "Make the account the owner of its database.",
    ),
    "58": ("store.io", "The database server reports a disk error.", LOOK_AT_DISK),
    "XX": ("store.corrupt", "The database server reports damage.", LOOK_AT_DISK),
}
