"""`adapter audit`: prove that no past was rewritten, and hand out who saw and changed what."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from adapter.cli.failure import NOT_PASSED
from adapter.cli.printing import JsonOption, emit, say, table
from adapter.cli.progress import Progress
from adapter.cli.reading import opened
from adapter.cli.settings import DEFAULT, ConfigOption, read

if TYPE_CHECKING:
    from adapter.store.audit import AuditEntry
    from adapter.store.checkpoint import Checkpoint
    from adapter.store.store import Store

PAGE = 1000

app = typer.Typer(
    help="The audit: verify that nothing was rewritten, export.",
    no_args_is_help=True,
)

CheckpointsOption = Annotated[
    Path | None,
    typer.Option(
        "--checkpoints",
        metavar="FILE",
        help="Signed checkpoints kept in another place, as `audit export` writes them.",
    ),
]


@app.command()
def verify(
    config: ConfigOption = DEFAULT,
    checkpoints: CheckpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find and locate every edit, deletion, reorder and truncation of journal and audit.

    With checkpoints from another place, it also shows that an older state of the whole database
    was put back. Exits with 1 if something does not hold.

    Example:

      adapter audit verify --checkpoints kept-elsewhere.ndjson
    """
    from adapter.store import checkpoint

    with opened(read(config)) as store:
        kept = [] if checkpoints is None else _kept(store, checkpoints)
        chains = store.read_now(_chains)
        disagree = store.read_now(lambda tx: checkpoint.verify(tx, kept))
    problems = [each for chain in chains for each in chain["problems"]]
    problems += [
        {"chain": each.chain, "sequence": each.sequence, "what": f"checkpoint {each.what}"}
        for each in disagree
    ]
    if as_json:
        emit(
            {
                "chains": [{"chain": c["chain"], "entries": c["entries"]} for c in chains],
                "checkpoints": len(kept),
                "problems": problems,
            }
        )
    else:
        for chain in chains:
            say(f"{chain['chain']}: {chain['entries']} entries")
        if problems:
            table(("chain", "sequence", "what"), problems)
            say("Keep this store aside, and restore the newest backup: adapter db restore")
        else:
            say(f"Nothing was changed, removed, moved or cut off; {len(kept)} checkpoints agree.")
    if problems:
        raise typer.Exit(NOT_PASSED)


@app.command()
def export(
    config: ConfigOption = DEFAULT,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write; default: stdout."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="Append a signed checkpoint of both chains to this file; keep it elsewhere.",
        ),
    ] = None,
    referral: Annotated[
        str | None, typer.Option(metavar="ID", help="Only events about this referral.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", help="Only events of this day (UTC) and later.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", help="Only events before this day (UTC).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write every AuditEvent as one line of JSON (FHIR R4, NDJSON), the oldest first.

    The export is itself audited. With --output and --json a summary is printed as JSON; the events
    are JSON in any case.

    Example:

      adapter audit export --from 2026-01-01 --to 2026-02-01 --output january.ndjson
    """
    start, end = _moment(since), _moment(until)
    count = 0
    progress = Progress()
    with opened(read(config)) as store:
        _audited(store, referral)
        with _sink(output) as sink:
            for entry in _entries(store, referral):
                if (start and entry.recorded < start) or (end and entry.recorded >= end):
                    continue
                sink.write(_line(entry))
                count += 1
                progress("events", count)
        key = None if checkpoint is None else _append(store, checkpoint)
    if as_json and output is not None:
        emit({"events": count, "output": str(output), "public_key": key})
    else:
        say(f"{count} events written.")
        if key:
            say(f"A checkpoint was appended to {checkpoint}; it verifies with the public key {key}")


def _chains(tx: Any) -> list[dict[str, Any]]:
    from adapter.store import audit, journal

    found = []
    for chain in (journal.CHAIN, audit.CHAIN):
        problems = [
            {"chain": each.chain, "sequence": each.sequence, "what": each.what}
            for each in chain.verify(tx.session)
        ]
        entries = chain.count(tx.session)
        found.append({"chain": chain.name, "entries": entries, "problems": problems})
    return found


def _kept(store: Store, file: Path) -> list[Checkpoint]:
    from adapter.plugin.errors import ConfigError
    from adapter.store import checkpoint_file
    from adapter.store.checkpoint import public_key

    try:
        return checkpoint_file.kept(file, public_key(store.keys.keyring))
    except OSError as error:
        raise ConfigError(
            "checkpoint.unreadable",
            f"{file} cannot be read ({error.strerror})",
            fix="Give the file that `adapter audit export --checkpoint` appended to.",
        ) from error


def _entries(store: Store, referral: str | None) -> Iterator[AuditEntry]:
    if referral is not None:
        yield from store.read_now(lambda tx: tx.audit.of(referral))
        return
    after = 0
    while page := store.read_now(lambda tx: tx.audit.list(after=after, limit=PAGE)):  # noqa: B023
        yield from page
        after = page[-1].sequence


def _line(entry: AuditEntry) -> bytes:
    import orjson

    return orjson.dumps(
        {"resourceType": "AuditEvent", "id": entry.id} | entry.event,
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _audited(store: Store, referral: str | None) -> None:
    """Who takes the audit away is audited too, before the first line is written."""
    from adapter.exchange.audit_event import read_by_operator

    def work(tx: Any) -> None:
        about = "AuditEvent" if referral is None else f"AuditEvent?entity={referral}"
        for_organization = next((e.organization for e in tx.audit.list(limit=1)), "adapter")
        event = read_by_operator(about, what="the audit, exported", at=tx.now())
        tx.audit.append(event, organization=for_organization)

    store.write_now(work)


def _append(store: Store, file: Path) -> str:
    from adapter.store import checkpoint, checkpoint_file

    key = checkpoint.public_key(store.keys.keyring)
    checkpoint_file.append(file, store.read_now(checkpoint.checkpoints), key)
    return key


@contextmanager
def _sink(output: Path | None) -> Iterator[BinaryIO]:
    """Where the events go; a file stands under its name when it is whole, and on the disk."""
    from adapter.plugin import durable_files

    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if output.exists() and not output.is_file():  # a pipe, a device
        with output.open("wb") as stream:
            yield stream
        return
    with durable_files.writing(output.resolve()) as stream:
        yield stream


def _moment(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(tzinfo=UTC)
