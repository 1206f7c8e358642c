"""`adapter validate`: one line an input, in order, and an exit code that tells."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter.cli.main import main

Run = Callable[..., tuple[int, str, str]]
PATIENT = {"resourceType": "Patient", "birthDate": "1948-05-17"}
TASK = {"resourceType": "Task", "status": "banana", "intent": "order"}
QUESTIONNAIRE = {
    "resourceType": "Questionnaire",
    "url": "https://example.org/Questionnaire/one",
    "status": "active",
    "item": [{"linkId": "1", "type": "boolean", "required": True}],
}
ANSWER = {
    "resourceType": "QuestionnaireResponse",
    "questionnaire": "https://example.org/Questionnaire/one",
    "status": "completed",
    "item": [{"linkId": "2", "answer": [{"valueBoolean": True}]}],
}
V2 = (
    b"MSH|^~\\&|A|B|C|D|20260115||REF^I12^REF_I12|1|P|2.5.1\r"
    b"RF1||R||||R-1\rPRD|RP|Tremblay^Anne\rPRD|RT|Hub^Sample\rPID|1||1||Testpatient^Rosalie\r"
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process, as the `adapter` script would."""

    def call(*args: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        with pytest.raises(SystemExit) as ended:
            main(["validate", *map(str, args)])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


def _lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, value in {"a.json": PATIENT, "b.json": TASK, "c.json": ANSWER}.items():
        (tmp_path / name).write_text(json.dumps(value))
    (tmp_path / "m.hl7").write_bytes(V2 + b"\r" + V2)
    (tmp_path / "with").mkdir()
    (tmp_path / "with" / "q.json").write_text(json.dumps(QUESTIONNAIRE))
    return tmp_path


def test_each_input_gives_one_line_in_order(run: Run, folder: Path) -> None:
    code, out, _ = run(
        "--json", "--with", folder / "with", folder / "b.json", folder / "none.json",
        folder / "a.json", folder / "c.json", folder / "m.hl7",
    )  # fmt: skip
    lines = _lines(out)
    assert code == 1
    assert [Path(line["input"]).name for line in lines] == [
        "b.json", "none.json", "a.json", "c.json", "m.hl7:1", "m.hl7:2",
    ]  # fmt: skip
    assert [line["valid"] for line in lines] == [False, False, True, False, True, True]
    assert all(line.keys() == {"input", "valid", "outcome"} for line in lines)
    assert {line["outcome"]["resourceType"] for line in lines} == {"OperationOutcome"}
    assert lines[0]["outcome"]["issue"][0]["expression"] == ["Task.status"]
    assert lines[3]["outcome"]["issue"][0]["expression"][0].startswith("QuestionnaireResponse")


def test_standard_input_is_ndjson_whatever_it_holds(run: Run) -> None:
    lines = [json.dumps(PATIENT), "", "nonsense", "[]", json.dumps(TASK)]
    code, out, _ = run("--json", "-", stdin="\n".join(lines).encode())
    found = _lines(out)
    assert code == 1
    assert [line["input"] for line in found] == ["-:1", "-:2", "-:3", "-:4"]
    assert [line["valid"] for line in found] == [True, False, False, False]


def test_one_document_over_many_lines_is_one_input(run: Run) -> None:
    code, out, _ = run("--json", stdin=json.dumps(PATIENT, indent=2).encode())
    assert code == 0
    assert [line["valid"] for line in _lines(out)] == [True]


def test_nothing_on_standard_input_is_not_valid(run: Run) -> None:
    code, out, _ = run("--json", "-")
    assert code == 1
    assert [line["valid"] for line in _lines(out)] == [False]


def test_the_format_can_be_said(run: Run, folder: Path) -> None:
    code, out, _ = run("--json", "--format", "hl7v2", folder / "a.json")
    assert code == 1
    assert _lines(out)[0]["valid"] is False
    code, out, _ = run("--json", "--format", "fhir", folder / "m.hl7")
    assert code == 1
    assert len(_lines(out)) == 1


def test_a_profile_is_asked_for_by_name_or_canonical(run: Run, folder: Path) -> None:
    task = {"resourceType": "Task", "status": "requested", "intent": "order"}
    (folder / "t.json").write_text(json.dumps(task))
    name = "SDOHCC-TaskForReferralManagement"
    canonical = f"http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/{name}"
    for asked in (name, canonical):
        code, out, _ = run("--json", "--profile", asked, folder / "t.json")
        assert code == 1
        assert _lines(out)[0]["valid"] is False
    code, out, _ = run("--json", "--profile", "https://example.org/nowhere", folder / "t.json")
    assert code == 0
    assert _lines(out)[0]["outcome"]["issue"][0]["severity"] == "warning"


@pytest.mark.parametrize(
    "args",
    [
        ["--profile", "NoSuchProfile", "a.json"],
        ["--with", "a.json", "a.json"],
        ["--with", "none.json", "a.json"],
        ["--format", "xml", "a.json"],
        ["--bogus"],
    ],
)
def test_wrong_use_is_told_apart_from_wrong_input(
    run: Run, folder: Path, args: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = run(*args)
    assert code == 2
    assert out == ""
    assert err


def test_a_folder_of_definitions_may_hold_other_files_too(run: Run, folder: Path) -> None:
    given = folder / "definitions"
    given.mkdir()
    (given / "notes.json").write_text("{not json")
    (given / "message.hl7").write_text("MSH|")
    profile = {
        "resourceType": "StructureDefinition",
        "url": "https://example.org/StructureDefinition/owned",
        "type": "Task",
        "differential": {"element": [{"path": "Task.owner", "min": 1}]},
    }
    (given / "owned.json").write_text(json.dumps(profile))
    task = folder / "unowned.json"
    task.write_text(json.dumps({"resourceType": "Task", "status": "draft", "intent": "order"}))
    code, out, err = run("--json", "--with", given, "--profile", "owned", task)
    assert code == 1
    assert json.loads(out)["outcome"]["issue"][0]["expression"] == ["Task.owner"]
    assert "notes.json: left out" in err


def test_a_folder_without_anything_to_check_is_not_valid(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("--json", tmp_path)
    assert code == 1
    assert json.loads(out)["valid"] is False


def test_people_get_a_table(run: Run, folder: Path) -> None:
    code, out, err = run(folder / "a.json", folder / "b.json")
    assert code == 1
    assert "a.json: valid" in out
    assert "b.json: not valid" in out
    assert "Task.status" in out
    assert "2 checked" in err
    assert not out.startswith("{")


def test_help_teaches_with_examples(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for word in ("--profile", "--with", "--format", "--json", "Examples", "Exit code"):
        assert word in out
