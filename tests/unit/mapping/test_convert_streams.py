"""`adapter convert` on many messages: one document for each, in order, none of them wrong."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from adapter.cli.conversion import handfuls
from adapter.cli.main import main
from adapter.referral.csv_columns import columns
from adapter.referral.csv_format import CsvFormat


def converted(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> tuple[int, bytes]:
    with pytest.raises(SystemExit) as ended:
        main(["convert", *arguments])
    return int(ended.value.code or 0), capfdbinary.readouterr().out


def records(text: str) -> list[str]:
    """The text of each record of a CSV file: a cell may hold line ends inside its quotes."""
    lines = text.splitlines(keepends=True)
    reader, found, start = csv.reader(lines), [], 0
    for _ in reader:
        found.append("".join(lines[start : reader.line_num]))
        start = reader.line_num
    return found


@pytest.fixture
def three(cases: Path, tmp_path: Path) -> Path:
    """Two referral messages, and something between them that is none."""
    good = [(cases / name).read_bytes() for name in ("ref-i12-20-segments.hl7", "ref-i14.hl7")]
    file = tmp_path / "three.hl7"
    file.write_bytes(good[0] + b"MSH|^~\\&|x\r" + good[1])
    return file


def test_csv_has_its_header_once_and_reads_back_as_one_file(
    capfdbinary: pytest.CaptureFixture[bytes], cases: Path, tmp_path: Path
) -> None:
    names = ("ref-i12-20-segments.hl7", "ref-i13.hl7", "ref-i14.hl7")
    code, out = converted(
        capfdbinary, "--from", "hl7v2", "--to", "csv", *(str(cases / name) for name in names)
    )
    assert code == 0
    rows = list(csv.reader(io.StringIO(out.decode("utf-8-sig"), newline=""), strict=True))
    assert rows[0] == list(columns())
    assert [row[0] for row in rows[1:]] == ["request", "modify", "cancel"]
    file = tmp_path / "all.csv"
    file.write_bytes(out)
    code, back = converted(capfdbinary, "--from", "csv", "--to", "referral", str(file))
    assert (code, [json.loads(line)["kind"] for line in back.splitlines()]) == (
        0, ["request", "modify", "cancel"],
    )  # fmt: skip


def test_a_message_that_gives_no_row_has_its_outcome_in_the_place_of_the_row(
    capfdbinary: pytest.CaptureFixture[bytes], three: Path
) -> None:
    code, out = converted(capfdbinary, "--from", "hl7v2", "--to", "csv", str(three))
    assert code == 1
    assert out.startswith(CsvFormat().head)
    found = records(out.removeprefix(CsvFormat().head).decode())
    assert len(found) == 3
    assert out.count(b"referral_number_system") == 1
    assert json.loads(found[1])["resourceType"] == "OperationOutcome"
    assert [next(csv.reader([found[place]]))[0] for place in (0, 2)] == ["request", "cancel"]


def test_what_the_checks_refuse_does_not_go_out(
    capfdbinary: pytest.CaptureFixture[bytes], cases: Path, tmp_path: Path
) -> None:
    """The period of the referrer ends before it starts: no codec's fault, but no valid R4."""
    raw = (cases / "ref-i12-20-segments.hl7").read_bytes()
    lines = raw.split(b"\r")
    number = next(i for i, line in enumerate(lines) if line.startswith(b"PRD|RP"))
    fields = [*lines[number].split(b"|"), *[b""] * 9][:10]
    fields[8], fields[9] = b"20260201", b"20250201"
    lines[number] = b"|".join(fields)
    file = tmp_path / "reversed.hl7"
    file.write_bytes(b"\r".join(lines))
    code, out = converted(capfdbinary, "--from", "hl7v2", "--to", "fhir", str(file))
    outcome = json.loads(out)
    assert (code, outcome["resourceType"]) == (1, "OperationOutcome")
    assert "period" in outcome["issue"][0]["diagnostics"]
    assert b"2025" not in out
    code, out = converted(capfdbinary, "--from", "hl7v2", "--to", "referral", str(file))
    assert code == 0


def test_a_broken_line_takes_nothing_from_the_lines_around_it(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    task = b'{"resourceType":"Task","status":"requested","intent":"order"}'
    file = tmp_path / "lines.ndjson"
    file.write_bytes(b"\n".join([task, b"not JSON", b"", task[:30], b"null", task]))
    code, out = converted(capfdbinary, "--from", "fhir", "--to", "fhir", str(file))
    kinds = [json.loads(line)["resourceType"] for line in out.splitlines()]
    assert code == 1
    assert kinds == ["Task", *["OperationOutcome"] * 3, "Task"]


def test_a_shape_that_nobody_foresaw_has_its_outcome_and_the_next_message_goes_on(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    odd = b'{"resourceType":"Practitioner","name":[{"family":"X","given":[["a"]]}]}'
    good = b'{"resourceType":"Practitioner","name":[{"family":"Y","given":["b"]}]}'
    file = tmp_path / "odd.ndjson"
    file.write_bytes(odd + b"\n" + good)
    code, out = converted(capfdbinary, "--from", "fhir", "--to", "csv", str(file))
    first, second = out.removeprefix(CsvFormat().head).decode().splitlines()
    assert code == 1
    assert json.loads(first)["resourceType"] == "OperationOutcome"
    assert "Y" in next(csv.reader([second]))


def test_the_models_of_others_have_a_second_opinion_where_it_is_asked_for(
    capfdbinary: pytest.CaptureFixture[bytes], cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(cases / "ref-i12-20-segments.hl7")
    asked = ("--from", "hl7v2", "--to", "fhir", "--second-opinion", file)
    code, out = converted(capfdbinary, *asked)
    assert (code, json.loads(out)["resourceType"]) == (0, "Bundle")

    monkeypatch.setattr(
        "adapter.fhir.models.second_opinions", lambda all_: [["Task.mood: extra"]] * len(all_)
    )
    code, out = converted(capfdbinary, *asked)
    (issue,) = json.loads(out)["issue"]
    assert code == 1
    assert "refused by the models of fhir.resources: Task.mood: extra" in issue["diagnostics"]


def test_of_many_only_the_one_that_the_models_refuse_has_its_outcome_in_its_place(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opinions(resources: list[dict[str, Any]]) -> list[list[str]]:
        return [["Task.mood: extra"] if each["id"] == "t7" else [] for each in resources]

    monkeypatch.setattr("adapter.fhir.models.second_opinions", opinions)
    task = {"resourceType": "Task", "status": "requested", "intent": "order"}
    lines = [json.dumps({**task, "id": f"t{number}"}).encode() for number in range(40)]
    lines[20] = b"not JSON"
    file = tmp_path / "tasks.ndjson"
    file.write_bytes(b"\n".join(lines))
    code, out = converted(
        capfdbinary, "--from", "fhir", "--to", "fhir", "--second-opinion", str(file)
    )
    written = [json.loads(line) for line in out.splitlines()]
    refused = [n for n, each in enumerate(written) if each["resourceType"] == "OperationOutcome"]
    assert code == 1
    assert refused == [7, 20]
    assert [each["id"] for each in written if "id" in each] == [
        f"t{number}" for number in range(40) if number not in refused
    ]


def test_handfuls_are_of_so_many_messages_and_not_of_more_than_a_large_one() -> None:
    small, large = b"x", b"x" * 1_000_000
    inputs = [("", each) for each in (*[small] * 20, large, small, large, large)]
    assert [len(some) for some in handfuls(inputs)] == [16, 5, 2, 1]
    assert [each for some in handfuls(inputs) for each in some] == inputs


def test_a_second_opinion_is_had_of_fhir_only(
    capfdbinary: pytest.CaptureFixture[bytes], cases: Path
) -> None:
    file = str(cases / "ref-i12-20-segments.hl7")
    code, out = converted(
        capfdbinary, "--from", "hl7v2", "--to", "referral", "--second-opinion", file
    )
    assert (code, out) == (2, b"")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "command", [["convert", "--to", "referral"], ["explain", "--to", "fhir", "--json"]]
)
@pytest.mark.parametrize(("count", "shown"), [(5, False), (40, True)])
def test_how_far_it_is_is_shown_on_a_terminal_once_there_are_many(
    capfdbinary: pytest.CaptureFixture[bytes], cases: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, command: list[str], count: int, shown: bool,
) -> None:  # fmt: skip
    file = tmp_path / "many.hl7"
    file.write_bytes((cases / "ref-i12-20-segments.hl7").read_bytes() * count)
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    with pytest.raises(SystemExit) as ended:
        main([*command, "--from", "hl7v2", str(file)])
    assert not ended.value.code
    assert len(capfdbinary.readouterr().out.splitlines()) == count
    assert ("messages" in terminal.getvalue()) is shown


@pytest.mark.parametrize("command", ["convert", "explain"])
def test_a_time_zone_that_is_none_is_refused_before_anything_is_read(
    capfdbinary: pytest.CaptureFixture[bytes], cases: Path, command: str
) -> None:
    file = str(cases / "ref-i12-20-segments.hl7")
    with pytest.raises(SystemExit) as ended:
        main([command, "--from", "hl7v2", "--to", "fhir", "--timezone", "Mars/Olympus", file])
    out, said = capfdbinary.readouterr()
    assert (ended.value.code, out) == (2, b"")
    assert b"no such time zone" in said
