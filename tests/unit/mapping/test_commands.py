from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adapter.cli.main import main


def run(
    capsys: pytest.CaptureFixture[str], *arguments: str, stdin: bytes | None = None,
    monkeypatch: pytest.MonkeyPatch | None = None,
) -> tuple[int, str]:  # fmt: skip
    if stdin is not None and monkeypatch is not None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0), capsys.readouterr().out


def test_convert_prints_one_document_a_line_in_input_order(
    capsys: pytest.CaptureFixture[str], cases: Path, tmp_path: Path
) -> None:
    both = tmp_path / "both.hl7"
    first, second = (cases / "ref-i12-20-segments.hl7"), (cases / "ref-i14.hl7")
    both.write_bytes(first.read_bytes() + second.read_bytes())
    code, out = run(capsys, "convert", "--from", "hl7v2", "--to", "fhir", str(both), str(first))
    bundles = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [each["identifier"]["value"] for each in bundles] == [
        "OAK-000417", "OAK-000440", "OAK-000417",
    ]  # fmt: skip


def test_a_message_that_cannot_be_converted_gives_an_outcome_in_its_place(
    capsys: pytest.CaptureFixture[str], cases: Path, tmp_path: Path
) -> None:
    good = (cases / "ref-i12-20-segments.hl7").read_bytes()
    bad = tmp_path / "bad.hl7"
    bad.write_bytes(good.replace(b"RF1|P|", b"RF1|Q|") + good)
    code, out = run(capsys, "convert", "--from", "hl7v2", "--to", "fhir", str(bad))
    kinds = [json.loads(line)["resourceType"] for line in out.splitlines()]
    assert code == 1
    assert kinds == ["OperationOutcome", "Bundle"]


def test_an_input_without_a_message_counts_as_one_that_cannot_be_converted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for data in (b"", b"hello\n"):
        code, out = run(
            capsys, "convert", "--from", "hl7v2", "--to", "fhir", "-", stdin=data,
            monkeypatch=monkeypatch,
        )  # fmt: skip
        assert code == 1
        assert json.loads(out)["resourceType"] == "OperationOutcome"


def test_with_json_every_output_is_json_whatever_the_format(
    capsys: pytest.CaptureFixture[str], cases: Path
) -> None:
    file = str(cases / "ref-i12-20-segments.hl7")
    code, out = run(capsys, "convert", "--from", "hl7v2", "--to", "hl7v2", "--json", file)
    messages = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [each[:9] for each in messages] == ["MSH|^~\\&|"]

    code, out = run(capsys, "mappings", "export", "csv_referral", "--json")
    files = json.loads(out)
    assert {each["pack"] for each in files} == {"csv_referral"}
    assert all(each["content"] for each in files)


def test_a_loss_report_that_cannot_be_written_is_wrong_use(
    capsys: pytest.CaptureFixture[str], cases: Path, tmp_path: Path
) -> None:
    file = str(cases / "ref-i12-20-segments.hl7")
    lost = str(tmp_path / "no" / "such" / "folder.ndjson")
    code, out = run(capsys, "convert", "--from", "hl7v2", "--to", "fhir", "--loss", lost, file)
    assert (code, out) == (2, "")


def test_the_loss_report_names_input_place_value_and_reason(
    capsys: pytest.CaptureFixture[str], cases: Path, tmp_path: Path
) -> None:
    report = tmp_path / "loss.ndjson"
    file = str(cases / "ref-i12-oscar-esend.hl7")
    code, _ = run(capsys, "convert", "--from", "hl7v2", "--to", "fhir", "--loss", str(report), file)
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    assert code == 0
    assert {"from": "SFT[1]-1", "raw": "OSCARMcMaster"}.items() <= rows[1].items() or any(
        row["from"] == "SFT[1]-1" and row["raw"] == "OSCARMcMaster" and row["why"] for row in rows
    )


def test_explain_counts_every_leaf_once(capsys: pytest.CaptureFixture[str], cases: Path) -> None:
    file = str(cases / "ref-i12-20-segments.hl7")
    code, out = run(capsys, "explain", "--from", "hl7v2", "--to", "fhir", "--json", file)
    found = json.loads(out)
    mapped = {each["from"] for each in found["mapped"]}
    assert code == 0
    assert found["parts"] == len(mapped) + len(found["lost"])
    assert set(found["mapped"][0]) == {"from", "to", "value", "pack", "file", "line"}


def test_a_message_that_no_map_takes_is_lost_whole(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "goal.json"
    goal = {"resourceType": "Goal", "id": "g", "target": [{"detailInteger": 2}, {"note": ""}]}
    file.write_text(json.dumps(goal))
    code, out = run(capsys, "explain", "--from", "fhir", "--to", "fhir", "--json", str(file))
    found = json.loads(out)
    assert code == 1
    assert (found["parts"], found["mapped"]) == (3, [])
    assert [each["from"] for each in found["lost"]] == [
        "Goal.resourceType", "Goal.id", "Goal.target[0].detailInteger",
    ]  # fmt: skip
    assert "no map" in found["lost"][0]["why"]


def test_check_prints_file_line_column_code_message_and_fix(
    capsys: pytest.CaptureFixture[str], copied: Callable[[str], Path]
) -> None:
    root = copied("hl7v2_ref")
    file = root / "ref-i12.map.yaml"
    text = file.read_text().replace("[PID-7,", "[PID-99,", 1)
    file.write_text(text)
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "PID-99" in row)
    code, out = run(capsys, "mappings", "check", str(root), "--json")
    issues = json.loads(out)["issues"]
    assert code == 1
    assert {"file", "line", "column", "code", "message", "fix"} == set(issues[0])
    assert (issues[0]["file"], issues[0]["line"], issues[0]["code"]) == (
        str(file), line, "unknown-path",
    )  # fmt: skip
    assert run(capsys, "mappings", "check", "hl7v2_ref")[0] == 0


def test_the_laws_are_a_command_with_counts(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "mappings", "test", "hl7v2_ref", "--cases", "5", "--json")
    maps = json.loads(out)["maps"]
    assert code == 0
    assert {"pack", "map", "law", "cases", "failed", "first_failure"} == set(maps[0])
    assert all(each["failed"] == 0 for each in maps)
    assert {each["law"] for each in maps} >= {"there-and-back", "tables"}


def test_a_dropped_row_fails_the_command(
    capsys: pytest.CaptureFixture[str], copied: Callable[[str], Path]
) -> None:
    root = copied("hl7v2_ref")
    file = root / "ref-i12.map.yaml"
    rows = [row for row in file.read_text().splitlines() if not row.lstrip().startswith("- [PID-8")]
    file.write_text("\n".join(rows))
    code, out = run(capsys, "mappings", "test", str(root), "--cases", "30", "--fail-fast", "--json")
    assert code == 1
    assert sum(each["failed"] for each in json.loads(out)["maps"]) > 0


def test_export_writes_maps_and_concept_maps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _ = run(capsys, "mappings", "export", "hl7v2_ref", "--out", str(tmp_path / "out"))
    assert code == 0
    assert (tmp_path / "out" / "hl7v2_ref" / "ref-i12-to-referral.map").is_file()
    assert (tmp_path / "out" / "hl7v2_ref" / "v2-0280-to-left.json").is_file()


def test_list_and_show_print_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "mappings", "list", "--json")
    assert code == 0
    assert {"hl7v2_ref", "fhir_r4"} <= {each["pack"] for each in json.loads(out)}
    code, out = run(capsys, "mappings", "show", "hl7v2_ref/ref-i14", "--json")
    assert code == 0
    assert any(row["left"] == "PID-5" for row in json.loads(out))


def test_a_folder_with_a_fault_converts_nothing(
    capsys: pytest.CaptureFixture[str], copied: Callable[[str], Path], cases: Path
) -> None:
    root = copied("hl7v2_ref")
    file = root / "ref-i12.map.yaml"
    file.write_text(file.read_text().replace("[PID-7,", "[PID-99,", 1))
    message = str(cases / "ref-i14.hl7")
    arguments = ("--from", "hl7v2", "--to", "fhir", "--pack", str(root), message)
    assert run(capsys, "convert", *arguments) == (3, "")
