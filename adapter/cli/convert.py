"""`adapter convert`: messages from one format to another, without storing anything."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from adapter.cli.formats import (
    STDIN,
    format_named,
    installed_formats,
    messages,
    outcome_of,
    packs_for,
)
from adapter.cli.printing import say

if TYPE_CHECKING:
    from adapter.mapping.packs import Packs
    from adapter.plugin.errors import DataError
    from adapter.plugin.formats import Format, Settings

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
ZoneOption = Annotated[
    str, typer.Option("--timezone", metavar="TZ", help="For times without offset.")
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
            "--second-opinion", help="Have the models of fhir.resources read each output, too."
        ),
    ] = False,
) -> None:
    """Map messages from one format to another, one output document a line, in input order.

    A message that cannot be converted gives a FHIR OperationOutcome in its place. JSON documents
    may stand one a line or one after another, however they are written. FHIR is read with
    forgiveness (what was mended is said on stderr) and checked before it goes out. CSV has its
    header once, at the top.

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
    if second_opinion and not hasattr(target, "second_opinion"):
        raise typer.BadParameter(f"--second-opinion: others have models of FHIR, none of {to}")
    packs = packs_for(formats, pack)
    work = _Work(
        packs, source, target, Settings(timezone=_zone(timezone)), dialect,
        as_json=as_json, second_opinion=second_opinion,
    )  # fmt: skip
    lost = loss.open("wb") if loss else None
    try:
        passed = _run(work, _shown(messages(source, names)), sys.stdout.buffer, lost)
    finally:
        if lost is not None:
            lost.close()
    if not passed:
        raise typer.Exit(1)


FHIR = "fhir"


class _Work:
    """One conversion, ready to be done many times."""

    def __init__(
        self,
        packs: Packs,
        source: Format,
        target: Format,
        settings: Settings,
        dialect: str | None,
        *,
        as_json: bool = False,
        second_opinion: bool = False,
    ) -> None:
        self.packs = packs
        self.source = source
        self.target = target
        self.settings = settings
        self.dialect = dialect
        self.asked = second_opinion
        self.quoted = as_json and "json" not in target.media_type
        self.head = b"" if self.quoted else getattr(target, "head", b"")

    def one(self, message: bytes | DataError, name: str = STDIN) -> tuple[bytes, bool, Any]:
        """The output, whether it is one, and the tree that was read; what was mended is said."""
        import orjson

        from adapter.mapping.convert import convert_tree
        from adapter.plugin.errors import DataError
        from adapter.plugin.formats import read_leniently, refuse_faulty

        if isinstance(message, DataError):
            return orjson.dumps(outcome_of(message)), False, None
        try:
            tree, mended = read_leniently(self.source, message)
            for text in mended:
                say(f"{name}: {text}")
            result = convert_tree(
                tree, packs=self.packs, source=self.source.name, target=self.target.name,
                settings=self.settings, dialect=self.dialect,
            )  # fmt: skip
            if self.source is self.target and self.source.name == FHIR:
                result = _known_to_r4(result)
            refuse_faulty(self.target, result)
            if self.asked:
                self._ask(result)
            output = self.target.dump(result)
            if self.quoted:
                output = orjson.dumps(output.decode("utf-8", "backslashreplace"))
            return output, True, tree
        except DataError as error:
            return orjson.dumps(outcome_of(error)), False, None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # A shape that nobody foresaw ends this message, not those after it.
            return orjson.dumps(outcome_of(error)), False, None

    def _ask(self, result: Any) -> None:
        """Refuse what the models of others refuse, by DataError."""
        from adapter.plugin.errors import DataError

        found = self.target.second_opinion(result)  # type: ignore[attr-defined]
        if found:
            raise DataError(
                "fhir.not-conformant",
                f"what the mapping makes is refused by the models of fhir.resources: {found[0]}",
                fix="correct the value in the message, or the row that carries it",
            )

    def losses(self, name: str, tree: Any) -> Iterator[dict[str, Any]]:
        """What a converted message lost, for the loss report."""
        from adapter.mapping.convert import explain_tree

        found = explain_tree(
            tree, packs=self.packs, source=self.source.name, target=self.target.name,
            settings=self.settings, dialect=self.dialect,
        )  # fmt: skip
        for loss in found.lost:
            row = {"file": loss.row.file, "line": loss.row.line} if loss.row else {}
            yield {"input": name, "from": loss.path, "raw": loss.raw, "why": loss.why, **row}


def _known_to_r4(resource: Any) -> Any:
    """A resource without the elements that R4 does not have; the loss report names them."""
    from adapter.fhir.definitions import resource_types
    from adapter.fhir.mending import mend

    return mend(resource).resource if resource.get("resourceType") in resource_types() else resource


def _run(
    work: _Work,
    inputs: Iterable[tuple[str, bytes | DataError]],
    out: BinaryIO,
    lost: BinaryIO | None,
) -> bool:
    import orjson

    passed, count = True, 0
    out.write(work.head)
    for name, message in inputs:
        output, good, tree = work.one(message, name)
        passed, count = passed and good, count + 1
        out.write(output.removeprefix(work.head) + b"\n")
        if lost is not None and good:
            lost.writelines(orjson.dumps(each) + b"\n" for each in work.losses(name, tree))
    if not count:
        empty = work.one(b"")
        out.write(empty[0] + b"\n")
        passed = False
    out.flush()
    return passed


def _shown(inputs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The inputs, with a progress bar on a terminal once there are many."""
    if not sys.stderr.isatty():
        yield from inputs
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    listed = list(inputs)
    if len(listed) < 20:
        yield from listed
        return
    yield from track(listed, description="Converting", console=console, transient=True)


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(
            f"--timezone {name}: no such time zone; for example America/Toronto"
        ) from None
    return name
