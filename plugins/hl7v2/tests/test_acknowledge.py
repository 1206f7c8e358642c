"""The acknowledgement that each sender understands."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_hl7v2.acknowledge import acknowledge, acknowledge_unreadable
from adapter_hl7v2.errors import ReadError
from adapter_hl7v2.message import Message
from adapter_hl7v2.problems import CONDITIONS, Problem
from adapter_hl7v2.structure.definitions import VERSIONS, segment_fields

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
MISSING = Problem("hl7v2.no-patient", "100", "there is no PID segment", "send it", "PID")
UNKNOWN = Problem("hl7v2.type-unsupported", "200", "unknown type", "", "MSH-9", reject=True)
ODD = Problem("hl7v2.identifier-type-unknown", "103", "odd", "fix", "PID-3", severity="W")


def received(version: str = "2.5.1", asks: str = "", head: str = "MSH|^~\\&") -> Message:
    line = (
        f"{head}|CLINIC^1.2^ISO|SITE|ADAPTER|HUB|20260115||REF^I12^REF_I12|C1|T|{version}|||{asks}"
    )
    return Message.parse(f"{line}\rPID|1||9||SECRET\r".encode())


def answer(message: Message, *problems: Problem) -> Message:
    return Message.parse(acknowledge(message, control_id="A1", time=NOW, problems=problems))


def test_an_acceptance_goes_back_to_who_sent() -> None:
    back = answer(received())
    assert back.to_text() == (
        "MSH|^~\\&|ADAPTER|HUB|CLINIC^1.2^ISO|SITE|20260115103000+0000||ACK^I12^ACK|A1|T|2.5.1\r"
        "MSA|AA|C1\r"
    )


@pytest.mark.parametrize(
    ("asks", "problems", "code"),
    [
        ("", (), "AA"),
        ("", (MISSING,), "AE"),
        ("", (UNKNOWN,), "AR"),
        ("", (ODD,), "AA"),
        ("|AL", (), "AA"),
        ("AL", (), "CA"),
        ("AL|AL", (MISSING,), "CE"),
        ("AL|NE", (UNKNOWN,), "CR"),
        ("ER", (MISSING,), "CE"),
        ("SU", (), "CA"),
        ("ER", (), None),
        ("ER", (ODD,), None),
        ("SU", (MISSING,), None),
        ("NE", (), None),
        ("NE", (UNKNOWN,), None),
    ],
)
def test_the_mode_is_the_one_that_the_sender_asked_for(
    asks: str, problems: tuple[Problem, ...], code: str | None
) -> None:
    message = received(asks=asks)
    data = acknowledge(message, control_id="A1", time=NOW, problems=problems)
    if code is None:
        assert data == b""
        return
    msa = Message.parse(data).segment("MSA")
    assert msa is not None
    assert (msa.get(1), msa.get(2)) == (code, "C1")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_err_has_the_form_of_the_version(version: str, condition: str) -> None:
    problem = Problem("hl7v2.x", condition, "what is wrong", "what to do", "PID-3")
    back = answer(received(version), problem)
    assert back.version == version
    [err] = back.all("ERR")
    fields = {f.number for f in segment_fields(version, "ERR")}
    assert {leaf.field for leaf in back.leaves() if leaf.segment == 2} <= fields
    if VERSIONS.index(version) < VERSIONS.index("2.5"):
        assert err.raw == f"ERR|PID^1^3^{condition}&{CONDITIONS[condition]}&HL70357"
    else:
        assert [err.get(2), err.get(2, 0, 2), err.get(2, 0, 3)] == ["PID", "1", "3"]
        assert [err.get(3), err.get(3, 0, 3), err.get(4)] == [condition, "HL70357", "E"]
        assert [err.get(5), err.get(7), err.get(8)] == ["hl7v2.x", "what to do", "what is wrong"]


def test_a_warning_is_said_only_where_the_version_can_say_that_it_is_one() -> None:
    assert [e.get(4) for e in answer(received("2.5"), ODD).all("ERR")] == ["W"]
    assert answer(received("2.4"), ODD).all("ERR") == []


def test_version_2_3_has_no_message_structure_in_msh_9() -> None:
    assert answer(received("2.3")).header.field(9) == "ACK^I12"


def test_an_unknown_version_is_answered_in_one_that_all_read() -> None:
    assert answer(received("9.9"), UNKNOWN).version == "2.5.1"


def test_the_senders_delimiters_are_used() -> None:
    message = Message.parse(b"MSH#*!%@#A@B#S#C##1##REF*I12#C@1#P#2.4\rPID#1\r")
    data = acknowledge(message, control_id="A1", time=NOW, problems=(MISSING,))
    assert data.startswith(b"MSH#*!%@#C##A#S#")
    assert b"MSA#AE#C%T%1" not in data
    back = Message.parse(data)
    assert back.segments[1].get(1) == "AE"
    assert back.segments[2].get(1, 0, 4, 1) == "100"


def test_an_acknowledgement_is_not_acknowledged() -> None:
    message = Message.parse(b"MSH|^~\\&|A|B|C|D|1||ACK^I12|1|P|2.5\rMSA|AA|9\r")
    assert acknowledge(message, control_id="A1", time=NOW, problems=(UNKNOWN,)) == b""


def test_a_sender_of_utf_16_is_answered_in_utf_16() -> None:
    text = "MSH|^~\\&|A|B|C|D|1||REF^I12|1|P|2.5||||||UNICODE UTF-16\rPID|1\r"
    data = acknowledge(Message.parse(text.encode("utf-16")), control_id="A1", time=NOW)
    assert Message.parse(data).segments[1].get(1) == "AA"
    assert b"M\0S\0H\0" in data


def test_a_name_outside_ascii_is_echoed_with_its_charset() -> None:
    text = "MSH|^~\\&|CLINIQUE É|B|C|D|1||REF^I12|1|P|2.5||||||8859/1\rPID|1\r"
    data = acknowledge(Message.parse(text.encode("latin-1")), control_id="A1", time=NOW)
    back = Message.parse(data)
    assert (back.header.get(5), back.header.get(18)) == ("CLINIQUE É", "8859/1")


@pytest.mark.parametrize(
    ("data", "reference"),
    [
        (b"", ""),
        (b"\x00\xff nonsense", ""),
        (b"MSH", ""),
        (b"MSH|", ""),
        (b"MSH|^~\\&|A|B|C|D|1||REF^I12|C7|P|2.5||||||ASCII\rPID|1||||\xe9", "C7"),
        (b"\xef\xbb\xbf\r\nMSH|^~\\&|A|B|C|D|1||REF^I12|C7|P|2.5\nPID|1||||\xe9", "C7"),
        (b"MSH|^^^^|A|B|C|D|1||REF^I12|C7|P|2.5\r", ""),
    ],
)
def test_bytes_that_are_no_message_get_the_best_answer_that_can_be_given(
    data: bytes, reference: str
) -> None:
    problem = Problem("hl7v2.no-message", "100", "unreadable", "send HL7", reject=True)
    back = Message.parse(acknowledge_unreadable(data, control_id="A1", time=NOW, problem=problem))
    msa = back.segments[1]
    assert (msa.get(1), msa.get(2) or "") == ("AR", reference)
    assert back.all("ERR")


@given(st.binary(max_size=300))
def test_no_bytes_are_without_an_answer(data: bytes) -> None:
    for start in (b"", b"MSH|^~\\&|A|B|C|D|1||"):
        back = acknowledge_unreadable(start + data, control_id="A1", time=NOW, problem=UNKNOWN)
        if back:
            assert Message.parse(back).segments[1].get(1) in ("AR", "CR")


@pytest.mark.parametrize("version", ["2.3", "2.5.1"])
def test_nothing_about_the_patient_is_echoed(version: str) -> None:
    for problem in (MISSING, UNKNOWN, ODD):
        data = acknowledge(received(version), control_id="A1", time=NOW, problems=(problem,))
        assert b"SECRET" not in data


HEADS = st.text(st.sampled_from("AZ09^&~\\|+é日 \"'T."), max_size=12)


@given(
    fields=st.lists(HEADS, min_size=4, max_size=4),
    kind=st.sampled_from(["REF^I12^REF_I12", "ACK", "RRI^I-3", "ORU", ""]),
    control=st.one_of(HEADS, st.just("x" * 300)),
    processing=st.sampled_from(["P", "T^A", ""]),
    version=st.sampled_from(["2.3", "2.5.1^CAN", "9"]),
    wanted=st.sampled_from(["", "AL", "NE", "ER", "SU"]),
    delimiters=st.sampled_from(["|^~\\&", "|^", "#+*-$", "|^~\\&#"]),
    codec=st.sampled_from(["utf-8", "latin-1", "utf-16"]),
)
def test_an_acceptance_is_the_same_whether_its_form_was_kept_or_not(
    fields: list[str],
    kind: str,
    control: str,
    processing: str,
    version: str,
    wanted: str,
    delimiters: str,
    codec: str,
) -> None:
    head = [*fields, "20260101", "", kind, control, processing, version, "", "", wanted, "", "", ""]
    separator = delimiters[0]
    text = separator.join([f"MSH{delimiters}", *(f.replace("|", separator) for f in head)])
    try:
        message = Message.parse(text.encode(codec, "replace") + b"\r")
    except ReadError:
        return
    kept = acknowledge(message, control_id="A1", time=NOW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adapter_hl7v2.acknowledge._plain", lambda *_: None)
        assert acknowledge(message, control_id="A1", time=NOW) == kept
