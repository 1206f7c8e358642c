"""The report: JSON is the source; JUnit and the page are made from it."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as Xml

from adapter_conformance.run import Outcome, Result, Word

WORDS: tuple[Word, ...] = get_args(Word)


def as_document(outcome: Outcome) -> dict[str, Any]:
    """The public shape: plugin, version, level, and each requirement with its result.

    For an endpoint its address and role stand in place of the plugin. A failure that was seen on
    the wire has `exchanges`: the last requests and answers before it, redacted.
    """
    named = {"endpoint": outcome.plugin, "role": outcome.role} if outcome.role else {}
    return {
        **(named or {"plugin": outcome.plugin}),
        "version": outcome.version,
        "level": outcome.level,
        "requirements": [_row(each) for each in outcome.results],
    }


def _row(result: Result) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": result.requirement.id,
        "group": result.requirement.group,
        "result": result.word,
        "detail": result.detail,
    }
    if result.exchanges:
        row["exchanges"] = [each.as_document() for each in result.exchanges]
    return row


def as_junit(outcome: Outcome) -> str:
    """For CI: a failure is one; what was not run or cannot apply is skipped, with its reason."""
    counts = Counter(each.word for each in outcome.results)
    suite = Xml.Element(
        "testsuite",
        name=f"conformance of {outcome.plugin}",
        tests=str(len(outcome.results)),
        failures=str(counts["fail"]),
        skipped=str(counts["not-supported"] + counts["waived"] + counts["not-run"]),
    )
    for each in outcome.results:
        case = Xml.SubElement(
            suite, "testcase", classname=each.requirement.group, name=each.requirement.id
        )
        if each.word == "fail":
            Xml.SubElement(case, "failure", message=_printable(each.detail))
        elif each.word != "pass":
            Xml.SubElement(case, "skipped", message=f"{each.word}: {_printable(each.detail)}")
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """XML 1.0 has no control characters."""
    return "".join(each if each.isprintable() else " " for each in text)


def as_page(outcome: Outcome) -> str:
    """One page for people, without anything from elsewhere."""
    rows = "\n".join(
        f"<tr class={each.word}><td><code>{html.escape(each.requirement.id)}</code>"
        f"<td>{html.escape(each.requirement.title)}<td>{each.requirement.level}"
        f"<td>{each.word}<td>{html.escape(each.detail)}{_shown(each)}"
        for each in outcome.results
    )
    counts = Counter(each.word for each in outcome.results)
    summary = ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])
    role = f"as {outcome.role}" if outcome.role else ""
    name = html.escape(f"{outcome.plugin} {outcome.version} {role}".strip())
    return _PAGE.format(
        name=name, level=outcome.level or "no level reached", summary=summary, rows=rows
    )


def _shown(result: Result) -> str:
    """What was asked and answered before a failure, to be unfolded."""
    if not result.exchanges:
        return ""
    texts = [
        json.dumps(each.as_document(), indent=1, ensure_ascii=False) for each in result.exchanges
    ]
    blocks = "".join(f"<pre>{html.escape(text)}</pre>" for text in texts)
    return f"<details><summary>request and response, redacted</summary>{blocks}</details>"


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<title>Conformance of {name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left }}
pre {{ white-space: pre-wrap; font-size: 13px; background: #f6f6f6; padding: .5rem }}
.fail td:nth-child(4) {{ color: #a00; font-weight: bold }}
.pass td:nth-child(4) {{ color: #060 }}
</style>
<h1>Conformance of {name}</h1>
<p>Level: <strong>{level}</strong>. {summary}.
<p>The level is computed: Connects, Reliable and Complete are reached when each of their
requirements passes or cannot apply. A waiver explains and lifts nothing.
<table><thead><tr><th>Requirement<th>What it asks<th>Level<th>Result<th>Why</thead>
<tbody>
{rows}
</tbody></table></html>
"""


def write(outcome: Outcome, file: Path) -> None:
    """Write the report in the form that the file's ending asks for: .json, .xml (JUnit) or .html.

    Raises:
        ValueError: it ends otherwise. OSError: it cannot be written.
    """
    forms: Mapping[str, Any] = {
        ".json": lambda: json.dumps(as_document(outcome), indent=2) + "\n",
        ".xml": lambda: as_junit(outcome),
        ".html": lambda: as_page(outcome),
    }
    if file.suffix not in forms:
        raise ValueError("expected a file that ends in .json, .xml (JUnit) or .html")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(forms[file.suffix](), "utf-8")
