"""`adapter explain`: which row and line made each value, and what was lost, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.convert import DialectOption, FromOption, PackOption, ToOption, ZoneOption
from adapter.cli.formats import (
    STDIN,
    format_named,
    installed_formats,
    messages,
    outcome_of,
    packs_for,
)
from adapter.cli.printing import JsonOption, emit, say, table
from adapter.cli.progress_bar import shown

if TYPE_CHECKING:
    from adapter.mapping.explain import Explanation


def explain(
    from_: FromOption,
    to: ToOption,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The message.")],
    pack: PackOption = None,
    dialect: DialectOption = None,
    timezone: ZoneOption = "UTC",
    as_json: JsonOption = False,
) -> None:
    """Say for every part of a message which row of which table carried it, or why it was lost.

    Example:

      adapter explain --from hl7v2 --to fhir referral.hl7

    With --json, one line for each message: {"parts": N, "mapped": [...], "lost": [...]}. Every
    non-empty part of the input is in `mapped` or in `lost`; N counts them once. A message that no
    map takes is lost whole; one that is refused gives an OperationOutcome.
    Exit code 1: a message could not be converted.
    """
    from adapter.mapping.convert import explain_tree
    from adapter.mapping.errors import NoMapError
    from adapter.mapping.explain import unmapped
    from adapter.plugin.errors import DataError
    from adapter.plugin.formats import Settings, read_leniently

    formats = installed_formats()
    source = format_named(formats, from_, "--from")
    format_named(formats, to, "--to")
    packs = packs_for(formats, pack)
    passed, count = True, 0
    inputs = messages(source, [file])
    for name, message in shown(inputs, [file], "Explaining") if as_json else inputs:
        count += 1
        try:
            if isinstance(message, DataError):
                raise message
            tree, mended = read_leniently(source, message)
            for text in mended:
                say(f"{name}: {text}")
            try:
                found = explain_tree(
                    tree, packs=packs, source=from_, target=to,
                    settings=Settings(timezone=timezone), dialect=dialect,
                )  # fmt: skip
            except NoMapError as error:
                passed = False
                say(f"{name}: {error.message}\n  Fix:  {error.fix}\n  Code: {error.code}")
                found = unmapped(source, tree, error.message)
        except DataError as error:
            passed = False
            if as_json:
                emit(outcome_of(error))
            else:
                say(f"{name}: {error.message}\n  Fix:  {error.fix}\n  Code: {error.code}")
            continue
        if as_json:
            emit(_document(found))
        else:
            _show(found)
    if not count or not passed:
        if not count:
            say(f"{file if file != STDIN else 'standard input'} holds no message")
        raise typer.Exit(1)


def _document(found: Explanation) -> dict[str, Any]:
    return {
        "parts": found.parts,
        "mapped": [
            {
                "from": each.path,
                "to": each.to,
                "value": each.value,
                "pack": each.pack,
                "file": each.row.file,
                "line": each.row.line,
            }
            for each in found.mapped
        ],
        "lost": [
            {"from": each.path, "raw": each.raw, "why": each.why}
            | ({"file": each.row.file, "line": each.row.line} if each.row else {})
            for each in found.lost
        ],
        "made": [
            {
                "to": each.path,
                "value": each.value,
                "constant": each.constant,
                "pack": each.pack,
                "file": each.row.file,
                "line": each.row.line,
            }
            for each in found.made
        ],
    }


def _show(found: Explanation) -> None:
    rows = [
        {
            "from": each.path,
            "to": each.to,
            "row": f"{each.pack}/{each.row.file.rsplit('/', 1)[-1]}:{each.row.line}",
        }
        for each in found.mapped
    ]
    table(("from", "to", "row"), rows)
    print()
    table(
        ("lost", "why"),
        [{"lost": each.path, "why": each.why} for each in found.lost],
        empty="Nothing was lost.",
    )
    sys.stdout.flush()
    mapped = len({each.where for each in found.mapped})
    say(f"{found.parts} parts: {mapped} carried, {len(found.lost)} lost")
