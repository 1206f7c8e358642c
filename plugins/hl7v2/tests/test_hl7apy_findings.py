"""What hl7apy says and is not believed about: each entry of hl7apy_findings.toml, on a message."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapter.plugin.formats import Finding
from adapter_hl7v2 import conformance
from adapter_hl7v2.conformance import known_findings, verify

PID = "PID|1||9999999999^^^ON^JHN||Synthetic^Test||19500101|F"
REF = ("RF1|P|R|||O|R-1^X|20260115", "PRD|RP|Clinician^Synthetic", PID, "NTE|1||lonely")


def message(kind: str, version: str, *lines: str) -> bytes:
    if version == "2.3":
        kind = "^".join(kind.split("^")[:2])
    head = f"MSH|^~\\&|A|B|C|D|20260115100000||{kind}|1|P|{version}"
    return "".join(f"{line}\r" for line in (head, *lines)).encode()


def ref(version: str, *lines: str) -> bytes:
    return message("REF^I12^REF_I12", version, *(lines or REF))


def oru(version: str, *lines: str) -> bytes:
    return message("ORU^R01^ORU_R01", version, PID, *lines)


RESULT = ("ORC|RE|1^A", "OBR|1||2|X^y", "OBX|1|ST|a^b||x||||||F")
APPOINTMENT = (
    "SCH|P-1|F-1||||BOOKED|||30|min|^^30^20260120100000^20260120103000|||||||||||||Booked",
    PID,
    "RGS|1",
    "AIL|1",
)
PHONE = f"{PID}|||||(416)555-0100"
EXAMPLES = {
    "obx-4": oru("2.3.1", "OBR|1||2|X^y", "OBX|1|ST|a^b||x||||||F"),
    "obr-27": oru("2.3", "OBR|1||2|X^y", "OBX|1|ST|a^b||x||||||F"),
    "osu-msa": message("OSU^O51^OSU_O51", "2.8.2", "ORC|SC|P1^A"),
    "xtn-1": ref("2.7", *REF[:2], PHONE, REF[3]),
    "no-name": ref("2.6", *REF[:2], PHONE, REF[3]),
    "no-type": ref("2.3", *REF[:2], f"{PID}||||||||M^Married^HL70002", REF[3]),
    "oru-observation": oru("2.4", "OBR|1||2|X^y"),
    "oru-document": oru("2.8", *RESULT),
    "no-structure": b"",
    "orc-7": oru("2.3", *RESULT),
    "dg1-4": ref("2.6", *REF[:3], "DG1|1||Z60.2^Living alone^I10|alone||W"),
    "dg1-3": ref("2.6", *REF[:3], "DG1|1|||lonely||W"),
    "pln-2": ref("2.6", REF[0], "PRD|RP|Clinician^Synthetic|||||12345", *REF[2:]),
    "provider": ref("2.5.1", REF[0], PID),
    "answer-to-what-came": message("RRI^I12^RRI_I12", "2.5.1", "MSA|AA|1", "RF1|A", PID),
    "xtn-3": ref("2.7", *REF[:2], PHONE, REF[3]),
    "msa-3": message("RRI^I12^RRI_I12", "2.8", "MSA|AA|1|well", *REF[:3]),
    "prd-3": ref("2.3", REF[0], "PRD|RP|Clinician^Synthetic|1 St~2 St", *REF[2:]),
    "sch-people": message("SIU^S12^SIU_S12", "2.5.1", *APPOINTMENT),
}


def said(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What hl7apy says when everything is believed."""
    with monkeypatch.context() as patch:
        patch.setattr(conformance, "known_findings", lambda: ())
        yield from (each.message for each in verify(raw) if each.where == "")


def test_every_entry_has_its_example() -> None:
    assert {each.id for each in known_findings()} == set(EXAMPLES)
    assert all(each.why.endswith(".") and len(each.why) > 20 for each in known_findings())


@pytest.mark.parametrize("known", known_findings(), ids=lambda each: each.id)
def test_hl7apy_says_it_and_is_judged(
    known: conformance.Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    if known.id == "no-structure":  # seen in long messages of 2.3; what it means needs no message
        judge = conformance._judge("REF", "2.3")
        found = Finding("error", "", "Unknown element found: None.<Message >")
        told = judge(found)
        assert told is not None
        assert told.severity == "information"
        return
    raw = EXAMPLES[known.id]
    kind, version = raw.split(b"|")[8][:3].decode(), raw.split(b"\r")[0].split(b"|")[11].decode()
    meant = [text for text in said(raw, monkeypatch) if known.fits(text, kind, version)]
    assert meant, list(said(raw, monkeypatch))
    severity = {each.message: each.severity for each in verify(raw)}
    expected = {"wrong": None, "lenient": "warning"}[known.verdict]
    assert {severity.get(text) for text in meant} == {expected}


@pytest.mark.parametrize("known", known_findings(), ids=lambda each: each.id)
def test_an_example_is_not_held_back(known: conformance.Known) -> None:
    raw = EXAMPLES[known.id]
    assert not raw or not [each for each in verify(raw) if each.severity == "error"]


@pytest.mark.parametrize(
    "raw",
    [
        ref("2.5.1", *REF[1:2], PID, "DG1|1||Z60.2^Living alone^I10"),
        ref("2.3", "RF1|P|R|||O", *REF[1:]),
        ref("2.8", *REF[:2], "PID|1||||Synthetic^Test"),
        ref("2.5.1", *REF[:2], "NTE|1||lonely"),
        oru("2.5.1", "OBR|1||2", "OBX|1|ST|a^b||x||||||F"),
    ],
)
def test_what_it_is_right_about_is_an_error(raw: bytes) -> None:
    assert [each for each in verify(raw) if each.severity == "error"]
