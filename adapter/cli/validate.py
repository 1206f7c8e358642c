"""`adapter validate`: are these FHIR resources, questionnaire answers and HL7 v2 messages right?"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adapter.cli.printing import JsonOption, emit, say, table

if TYPE_CHECKING:
    from adapter.fhir.known import Known
    from adapter.fhir.outcome import Issue
    from adapter.plugin.formats import Format

STDIN = "-"
_SUFFIXES = frozenset({".json", ".ndjson", ".hl7"})
_V2_STARTS = (b"MSH", b"FHS", b"BHS", b"\x0b")


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to check: its name for the output, and its bytes, or why there are none."""

    name: str
    data: bytes
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one input."""

    name: str
    issues: Sequence[Issue]

    @property
    def valid(self) -> bool:
        """Whether no issue is an error or fatal."""
        return not any(issue.fails for issue in self.issues)


def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE…|-]", help="Files or folders; - reads NDJSON from stdin."),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(metavar="P", help="Check against this profile too: its canonical, or name."),
    ] = None,
    with_: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            metavar="F",
            help="Questionnaires, ValueSets or profiles that the inputs need: a resource, a Bundle"
            " or a folder of them.",
        ),
    ] = None,
    format_: Annotated[
        Literal["fhir", "hl7v2"] | None,
        typer.Option("--format", help="What the inputs are; without it their first bytes tell."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check FHIR R4 resources and HL7 v2 messages, and say what is wrong and where.

    FHIR JSON is checked against R4 4.0.1 and against the profiles that a resource claims in
    meta.profile. A QuestionnaireResponse is held against its Questionnaire, given by --with or
    shipped; answers to a shipped instrument are scored. A profile or Questionnaire that is not at
    hand is a warning.

    Examples:

      adapter validate referral.json

      adapter validate --with questionnaire.json answers.json

      adapter validate --profile SDOHCC-TaskForReferralManagement task.json

      adapter validate --json - < resources.ndjson

    Exit code 0: all are valid. 1: at least one is not. With --json each input gives one line:
    {"input", "valid", "outcome"}, the outcome being a FHIR OperationOutcome.
    """
    names = files or ([STDIN] if not sys.stdin.isatty() else [])
    if not names:
        raise typer.BadParameter("give files, or - for standard input")
    known = _known(with_ or ())
    profiles = [_canonical(one, known) for one in profile or ()]
    passed, count = True, 0
    for one in _inputs(names, format_):
        verdict = _check(one, format_, profiles, known)
        passed, count = passed and verdict.valid, count + 1
        if as_json:
            emit({"input": one.name, "valid": verdict.valid, "outcome": _outcome(verdict)})
        else:
            _show(verdict)
    if not as_json:
        say(f"{count} checked: {'all valid' if passed else 'not all valid'}")
    if not passed:
        raise typer.Exit(1)


def _known(given: Iterable[Path]) -> Known:
    """What ships with the adapter, and what --with names."""
    from adapter.fhir.known import BadProfile, Known, shipped
    from adapter.fhir.safe_json import UnsafeJson, loads

    known = Known(shipped())
    for path in given:
        for file in _files(path, frozenset({".json"})):
            try:
                count = known.add(loads(file.read_bytes()))
            except OSError as error:
                raise typer.BadParameter(f"--with {file}: {error.strerror}") from None
            except (UnsafeJson, BadProfile) as error:
                if path == file:
                    raise typer.BadParameter(f"--with {file}: {error}") from None
                say(f"--with {file}: left out: {error}")
                continue
            if count == 0 and path == file:
                raise typer.BadParameter(
                    f"--with {file}: it holds no Questionnaire, ValueSet, CodeSystem or profile"
                )
    return known


def _canonical(asked: str, known: Known) -> str:
    """The canonical of a profile given by name or canonical."""
    if "/" in asked or ":" in asked:
        return asked
    found = known.named(asked)
    if found is None:
        raise typer.BadParameter(f"--profile {asked}: no profile of this name; use its canonical")
    return found.url


def _files(path: Path, suffixes: frozenset[str] = _SUFFIXES) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(one for one in path.rglob("*") if one.suffix in suffixes and one.is_file())


def _inputs(names: Iterable[str], format_: str | None) -> Iterator[Input]:
    for name in names:
        if name == STDIN:
            yield from _split(STDIN, sys.stdin.buffer.read(), format_, lines=True)
            continue
        found = _files(Path(name))
        if not found:
            yield Input(name, b"", f"the folder holds no file {', '.join(sorted(_SUFFIXES))}")
        for path in found:
            try:
                data = path.read_bytes()
            except OSError as error:
                yield Input(str(path), b"", f"cannot be read: {error.strerror}")
                continue
            yield from _split(str(path), data, format_, lines=path.suffix == ".ndjson")


def _split(name: str, data: bytes, format_: str | None, *, lines: bool) -> Iterator[Input]:
    """The documents of one input: a file is one, unless it holds lines or v2 messages."""
    if _is_v2(data, format_):
        found = _format("hl7v2")
        parts = list(found.split(data)) if found else [data]
    elif lines and not _is_one_document(data):
        parts = [line for line in data.split(b"\n") if line.strip()]
    else:
        parts = [data]
    several = len(parts) > 1 or lines
    for number, part in enumerate(parts or [b""], 1):
        one = f"{name}:{number}" if several else name
        if isinstance(part, bytes):
            yield Input(one, part)
        else:  # what stands there is no message, and the format says why
            yield Input(one, b"", part.message)


def _is_v2(data: bytes, format_: str | None) -> bool:
    if format_ is not None:
        return format_ == "hl7v2"
    return data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_V2_STARTS)


def _is_one_document(data: bytes) -> bool:
    """Whether lines belong together: a document that is printed over several lines."""
    from adapter.fhir.safe_json import UnsafeJson, loads

    first = next((line for line in data.split(b"\n") if line.strip()), b"")
    try:
        loads(first)
    except UnsafeJson:
        try:
            loads(data)
        except UnsafeJson:
            return False
        return True
    return False


def _check(one: Input, format_: str | None, profiles: Sequence[str], known: Known) -> Verdict:
    from adapter.fhir.outcome import FATAL, Issue, failed
    from adapter.fhir.safe_json import UnsafeJson, loads
    from adapter.fhir.spoken_scores import spoken_scores
    from adapter.fhir.validation import validate_resource

    if one.missing:
        return Verdict(one.name, [Issue(FATAL, "not-found", "", one.missing)])
    if _is_v2(one.data, format_):
        return Verdict(one.name, _check_v2(one.data))
    try:
        resource = loads(one.data)
    except UnsafeJson as refused:
        return Verdict(one.name, [refused.issue])
    issues = validate_resource(resource, profiles=profiles, known=known)
    return Verdict(one.name, issues if failed(issues) else [*issues, *spoken_scores(resource)])


def _check_v2(data: bytes) -> list[Issue]:
    from adapter.fhir.outcome import FATAL, Issue
    from adapter.plugin.errors import AdapterError

    found = _format("hl7v2")
    if found is None:
        text = "no installed plugin brings the format hl7v2; see: adapter plugins list"
        return [Issue(FATAL, "not-supported", "", text)]
    try:
        findings = found.validate(data)
    except AdapterError as error:
        return [Issue(FATAL, "structure", "", error.message, error.code)]
    return [Issue(one.severity, "value", one.where, one.message) for one in findings]


def _format(name: str) -> Format | None:
    """A message format that an installed plugin brings."""
    from adapter.exchange.plugins import load_plugins

    return load_plugins(None).formats.get(name)


def _outcome(verdict: Verdict) -> dict[str, Any]:
    from adapter.fhir.outcome import operation_outcome

    return operation_outcome(verdict.issues)


def _show(verdict: Verdict) -> None:
    print(f"{verdict.name}: {'valid' if verdict.valid else 'not valid'}")
    rows = [
        {
            "severity": issue.severity,
            "where": issue.expression,
            "what": issue.diagnostics,
            "rule": issue.rule,
        }
        for issue in verdict.issues
    ]
    if rows:
        table(("severity", "where", "what", "rule"), rows)
        print()
