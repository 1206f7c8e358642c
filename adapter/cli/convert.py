"""`adapter convert`: messages from one format to another, without storing anything."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from adapter.cli.conversion import Conversion, handfuls
from adapter.cli.formats import STDIN, format_named, installed_formats, messages, packs_for
from adapter.cli.progress_bar import shown

if TYPE_CHECKING:
    from adapter.plugin.errors import DataError

FromOption = Annotated[
    str, typer.Option("--from", metavar="FMT", help="What comes in: hl7v2, fhir, referral, …")
]
ToOption = Annotated[
    str, typer.Option("--to", metavar="FMT", help="What goes out: fhir, hl7v2, referral, …")
]
PackOption = Annotated[
    str | None, typer.Option("--pack", metavar="P", help="A pack, or the folder of one, to prefer.")
]
DialectOption = Annotated[
    str | None,
    typer.Option("--dialect", metavar="D", help="The sender's dialect; else it is told."),
]


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(
            f"--timezone {name}: no such time zone; for example America/Toronto"
        ) from None
    return name


ZoneOption = Annotated[
    str,
    typer.Option("--timezone", metavar="TZ", help="For times without offset.", callback=_zone),
]


def convert(
    from_: FromOption,
    to: ToOption,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE…|-]", help="Files; - is standard input.")
    ] = None,
    pack: PackOption = None,
    dialect: DialectOption = None,
    timezone: ZoneOption = "UTC",
    loss: Annotated[
        Path | None,
        typer.Option("--loss", metavar="FILE", help="Write what was not carried, as NDJSON."),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Each output as JSON: HL7 v2 and CSV as a JSON string."),
    ] = False,
    second_opinion: Annotated[
        bool,
        typer.Option(
            "--second-opinion",
            help="Have the models of fhir.resources read each output, too, sixteen at a time.",
        ),
    ] = False,
) -> None:
    """Map messages from one format to another, one output document a line, in input order.

    A message that cannot be converted gives a FHIR OperationOutcome in its place. JSON documents
    may stand one a line or one after another, however they are written. FHIR is read with
    forgiveness (what was mended is said on stderr) and checked before it goes out. CSV has its
    header once, at the top. Long inputs of HL7 v2 and JSON are converted while they are read.

    Examples:

      adapter convert --from hl7v2 --to fhir referral.hl7

      adapter convert --from fhir --to hl7v2 --loss lost.ndjson - < bundle.json

    Exit code 0: all were converted. 1: at least one was not.
    """
    from adapter.plugin.formats import Settings

    formats = installed_formats()
    source = format_named(formats, from_, "--from")
    target = format_named(formats, to, "--to")
    names = files or ([STDIN] if not sys.stdin.isatty() else [])
    if not names:
        raise typer.BadParameter("give files, or - for standard input")
    if second_opinion and not hasattr(target, "second_opinions"):
        raise typer.BadParameter(f"--second-opinion: others have models of FHIR, none of {to}")
    packs = packs_for(formats, pack)
    work = Conversion(
        packs, source, target, Settings(timezone=timezone), dialect,
        as_json=as_json, second_opinion=second_opinion,
    )  # fmt: skip
    lost = loss.open("wb") if loss else None
    try:
        passed = _run(
            work, shown(messages(source, names), names, "Converting"), sys.stdout.buffer, lost
        )
    finally:
        if lost is not None:
            lost.close()
    if not passed:
        raise typer.Exit(1)


def _run(
    work: Conversion,
    inputs: Iterable[tuple[str, bytes | DataError]],
    out: BinaryIO,
    lost: BinaryIO | None,
) -> bool:
    import orjson

    passed, count = True, 0
    out.write(work.head)
    for some in handfuls(inputs) if work.asked else ([each] for each in inputs):
        for (name, _), (output, good, tree) in zip(some, work.some(some), strict=True):
            passed, count = passed and good, count + 1
            out.write(output.removeprefix(work.head) + b"\n")
            if lost is not None and good:
                lost.writelines(orjson.dumps(each) + b"\n" for each in work.losses(name, tree))
        out.flush()  # whoever reads it need not wait for the end of the input
    if not count:
        output, passed, _ = work.one(b"")
        out.write(output + b"\n")
    out.flush()
    return passed
