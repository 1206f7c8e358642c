"""What is said against a message, by our own definitions and by hl7apy; and what is not."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_hl7v2 import conformance
from adapter_hl7v2.conformance import verify
from adapter_hl7v2.structure.definitions import VERSIONS, message_structure
from adapter_hl7v2.structure.sequence import arrange
from adapter_hl7v2.validation import validate

FULL = (
    "MSH|^~\\&|CLINIC|SITE|ADAPTER|HUB|20260115100000||{kind}|C1|T|{version}",
    "RF1|P|R|||O|R-1^X|20260115",
    "PRD|RP^Referrer^HL70286|Clinician^Synthetic|1 Example St^^Toronto",
    "CTD|RP|Clinician^Synthetic",
    "PRD|RT^Referred to^HL70286|Hub^Community",
    "PID|1||9999999999^^^ON^JHN||Synthetic^Test||19500101|F|||1 Example St^^Toronto^ON",
    "NK1|1|Synthetic^Kin",
    "DG1|1||Z60.2^Living alone^I10|||W",
    "OBR|1||2|X^y",
    "NTE|1||of the panel",
    "OBX|1|NM|a^b||12.50||||||F",
    "NTE|1||of the result",
    "PV1|1|O",
    "NTE|1||lonely since the move",
)


def full(version: str = "2.5.1", *changes: tuple[int, str]) -> bytes:
    """A whole referral; each change replaces a line by another, or by none."""
    lines = list(FULL)
    for index, line in changes:
        lines[index] = line
    kind = "REF^I12" if version == "2.3" else "REF^I12^REF_I12"
    text = "".join(f"{line}\r" for line in lines if line)
    return text.replace("{version}", version).replace("{kind}", kind).encode()


def told(raw: bytes) -> set[tuple[str, str]]:
    return {(finding.severity, finding.where) for finding in validate(raw)}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_whole_referral_has_nothing_against_it(version: str) -> None:
    assert validate(full(version)) == []
    assert [f for f in verify(full(version)) if f.severity == "error"] == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ((1, "RF1|P|R|||O"), ("error", "RF1[1]-6")),
        ((1, "RF1|Q|R|||O|R-1"), ("warning", "RF1[1]-1")),
        ((1, "RF1|Q^own^L|R|||O|R-1"), None),
        ((1, "RF1|P|R|||O|R-1|20261301"), ("error", "RF1[1]-7.1")),
        ((1, "RF1|P|R|||O|R-1|20260229"), ("error", "RF1[1]-7.1")),
        ((1, "RF1|P|R|||O|R-1|yesterday"), ("error", "RF1[1]-7.1")),
        ((1, 'RF1|P|R|||O|R-1|""'), None),
        ((1, "RF1|P|R|||O|R-1~R-2"), ("error", "RF1[1]-6")),
        ((1, "RF1|P|R|||O|R-1||||||late"), ("warning", "RF1[1]-12")),
        ((1, ""), None),
        ((4, "PRD||Hub^Community"), ("error", "PRD[2]-1")),
        ((4, ""), ("warning", "PRD-1")),
        ((5, "PID|x||9^^^ON^JHN||Synthetic"), ("error", "PID[1]-1")),
        ((5, "PID|1||9^^^ON^JHN"), ("error", "PID[1]-5")),
        ((5, "PID|1||9^^^ON^JHN~8^^^ON^KLUB||Synthetic"), ("warning", "PID[1]-3[2].5")),
        ((6, "PD1|1"), ("warning", "PD1[1]")),
        ((6, "ZXX|1"), ("warning", "ZXX[1]")),
        ((6, "a broken line"), ("error", "?[1]")),
        ((12, "RF1|P|R|||O|R-2"), ("error", "RF1[2]")),
        ((10, "OBX|1|NM|a^b||12||||||F^x^y"), ("warning", "OBX[1]-11")),
        ((13, "NTE|1||Tom ^ Ann"), None),
    ],
)
def test_each_fault_is_found_where_it_is(
    change: tuple[int, str], finding: tuple[str, str] | None
) -> None:
    found = told(full("2.5.1", change))
    if finding is None:
        assert found == set()
    else:
        assert finding in found


def test_the_type_of_an_identifier_is_told_once_by_its_place() -> None:
    raw = full("2.5.1", (5, "PID|1||9^^^ON^KLUB||Synthetic"))
    assert told(raw) == {("warning", "PID[1]-3.5")}


@pytest.mark.parametrize("raw", [b"", b"{}", b"MSH|^~\\&|\xff", b"MSH|", b"\x00" * 50])
def test_bytes_that_are_no_message_are_an_error_not_a_crash(raw: bytes) -> None:
    assert [f.severity for f in validate(raw)] == ["error"]
    assert verify(raw)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_validation(tail: bytes) -> None:
    validate(FULL[0].encode() + b"\r" + tail)


def test_an_acknowledgement_is_a_valid_message() -> None:
    assert validate(b"MSH|^~\\&|A|B|C|D|20260115||ACK^I12^ACK|1|P|2.5.1\rMSA|AA|9\r") == []


def test_oscar_notes_are_base64() -> None:
    head = "MSH|^~\\&|OSCAR|C|||20260115||REF^I12^REF_I12||T|2.6\rPRD|RT|Hub\r"
    pid = "PID|1||9^A^^^HEALTH_NUMBER||Synthetic^Test\r"
    good = f"{head}{pid}NTE|||bG9uZWx5|^REASON_FOR_CONSULTATION\r"
    bad = f"{head}{pid}NTE|||lonely!|^REASON_FOR_CONSULTATION\r"
    assert [f for f in validate(good.encode()) if f.severity == "error"] == []
    assert ("error", "NTE[1]-3") in told(bad.encode())


def test_no_finding_holds_a_value() -> None:
    raw = full("2.5.1", (5, "PID|SECRET||SECRET^^^SECRET^SECRET||||SECRET|SECRET|SECRET"))
    findings = [*validate(raw), *verify(raw)]
    assert len(findings) > 3
    assert "SECRET" not in str(findings)


def test_ten_thousand_faults_are_told_in_short() -> None:
    raw = full("2.5.1", (13, "\r".join(["OBX|x|NM|a||b||||||F"] * 5000)))
    assert len(validate(raw)) <= 201


@pytest.mark.parametrize(
    ("names", "unknown", "misplaced", "missing"),
    [
        ("MSH RF1 PRD CTD PRD PID NTE", [], [], []),
        ("MSH PRD PID OBR OBX NTE OBX OBR OBX PV1", [], [], []),
        ("MSH PRD PID OBX", [], [3], []),
        ("MSH PID PRD", [], [2], ["PRD of PROVIDER_CONTACT", "PROVIDER_CONTACT of REF_I12"]),
        ("MSH ZZZ PRD PID PD1", [1, 4], [], []),
        ("MSH PRD", [], [], ["PID of REF_I12"]),
        ("MSH PRD PID NTE RF1 DG1", [], [4, 5], []),
    ],
)
def test_segments_are_read_as_the_structure_says(
    names: str, unknown: list[int], misplaced: list[int], missing: list[str]
) -> None:
    structure = message_structure("2.5.1", "REF_I12")
    assert structure is not None
    found = arrange(names.split(), structure)
    assert list(found.unknown) == unknown
    assert list(found.misplaced) == misplaced
    assert set(found.missing) <= set(missing)
    assert bool(found.missing) == bool(missing)


def test_hl7apy_is_not_believed_about_what_it_loses() -> None:
    raw = full("2.5.1", (6, "ZXX|1\rPD1|1\rlower|1"))
    places = {f.where for f in verify(raw) if f.severity == "information"}
    assert {"ZXX", "PD1", "?"} <= places


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_hl7apy_sees_every_segment_whatever_ends_them(end: str) -> None:
    broken = full("2.5.1", (1, "RF1|P|R|||O")).decode().replace("\r", end).encode()
    assert any("RF1_6" in f.message for f in verify(broken))


def test_hl7apy_is_asked_with_the_structure_that_the_message_has() -> None:
    for kind in ("REF^I13", "REF^I14^WRONG", "REF^I15"):
        raw = full("2.5.1", (1, "RF1|P|R|||O")).replace(b"REF^I12^REF_I12", kind.encode())
        assert any("RF1_6" in f.message for f in verify(raw)), kind


def test_versions_that_hl7apy_has_not_are_checked_as_the_nearest_and_that_is_said() -> None:
    for version, nearest in (("2.7.1", "2.7"), ("2.9", "2.8.2")):
        [said] = verify(full(version))
        assert (said.severity, said.where) == ("information", "MSH-12")
        assert nearest in said.message


def test_an_order_status_is_known_by_its_right_name() -> None:
    raw = b"MSH|^~\\&|A|B|C|D|20260115||OSU^O51^OSU_O51|1|P|2.8.2\rORC|SC|P1^A\r"
    assert [f for f in verify(raw) if f.severity == "error"] == []


def test_escapes_delimiters_and_marks_do_not_disturb_hl7apy() -> None:
    text = full("2.5.1", (13, "NTE|1||a\\F\\b\\.br\\c\\XC3A9\\ \\T\\"))
    assert verify(text) == []
    assert verify(b"\xef\xbb\xbf" + text.replace(b"^~\\&", b"^~\\&#", 1)) == []
    swap = str.maketrans("|^~\\&", "#*!%@")
    assert verify(text.decode().translate(swap).encode()) == []


def test_hl7apy_is_not_asked_about_a_bomb() -> None:
    raw = full("2.5.1", (13, "NTE|1||x" + "~y" * 20_000))
    assert [f.severity for f in verify(raw)] == ["information"]


def test_the_check_runs_in_a_worker_process() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(verify, full("2.5.1", (1, "RF1|P|R|||O"))).result(timeout=60)
    assert any("RF1_6" in f.message for f in found)


def test_importing_the_plugin_does_not_import_hl7apy() -> None:
    assert "hl7apy" not in vars(conformance)
    import subprocess

    code = "import sys, adapter_hl7v2.system; sys.exit('hl7apy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
