"""Messages, good and bad, and the answer that each gets. The listener is alive after all of them.

Every person here is invented; 9999999999 is no health number that could be issued.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapter_hl7v2.framing import Deframer, Frame, frame
from adapter_hl7v2.message import Message
from adapter_hl7v2.structure.definitions import VERSIONS
from adapter_hl7v2.system import Hl7v2

PID = "PID|1||9999999999^^^ON^JHN||Synthetic^Test||19500101|F"
BODY = f"PRD|RT|Hub^Community\r{PID}\rNTE|1||lonely\r"
OSCAR = (
    "MSH|^~\\&|OSCAR|Synthetic Clinic|||20260115||REF^I12^REF_I12||T|2.6\r"
    "RF1||||||19|20260101\r"
    "PID|1||9999999999^AB^^^HEALTH_NUMBER||Synthetic^Test\r"
    "NTE|||bG9uZWx5|^REASON_FOR_CONSULTATION\r"
)


def head(
    kind: str = "REF^I12^REF_I12",
    id: str = "C1",
    processing: str = "T",
    version: str = "2.5.1",
    charset: str = "",
    mode: str = "|",
) -> str:
    return (
        f"MSH|^~\\&|CLINIC|SITE|ADAPTER|HUB|20260115||{kind}|{id}|{processing}|{version}|||"
        f"{mode}||{charset}\r"
    )


def text(first: str = "", body: str = BODY, end: str = "\r", codec: str = "utf-8") -> bytes:
    return ((first or head()) + body).replace("\r", end).encode(codec)


GOOD: dict[str, tuple[bytes, str | None]] = {
    **{f"version {v}": (text(head(version=v)), "AA") for v in VERSIONS},
    "line feeds": (text(end="\n"), "AA"),
    "carriage return and line feed": (text(end="\r\n"), "AA"),
    "blank lines": (text(end="\r\r"), "AA"),
    "a byte order mark": (text(codec="utf-8-sig"), "AA"),
    "line feeds first": (b"\r\n" + text(), "AA"),
    "no last segment end": (text().rstrip(b"\r"), "AA"),
    "no structure in MSH-9": (text(head("REF^I12")), "AA"),
    "modify": (text(head("REF^I13")), "AA"),
    "cancel": (text(head("REF^I14^REF_I12")), "AA"),
    "status request": (text(head("REF^I15")), "AA"),
    "an answer": (text(head("RRI^I12^RRI_I12"), f"MSA|AA|X1\rRF1|A\r{PID}\r"), "AA"),
    "a result": (text(head("ORU^R01^ORU_R01"), f"{PID}\rOBR|1\rOBX|1|TX|a||b\r"), "AA"),
    "an order": (text(head("OMG^O19^OMG_O19"), f"{PID}\rORC|NW|P1\rOBR|1\r"), "AA"),
    "an order status without patient": (text(head("OSU^O51"), "ORC|SC|P1||||IP\r"), "AA"),
    "an appointment": (text(head("SIU^S12^SIU_S12"), f"SCH|1\r{PID}\rRGS|1\r"), "AA"),
    "a no-show": (text(head("SIU^S26"), f"SCH|1\r{PID}\r"), "AA"),
    "debugging": (text(head(processing="D")), "AA"),
    "production data at a test site": (text(head(processing="P")), "AA"),
    "unknown segments": (text(body=f"ZXX|a\r{BODY}ZZZ\rPD1|1\r"), "AA"),
    "RF1 late": (text(body=f"{BODY}RF1|P|R||||R1\r"), "AA"),
    "a broken line": (text(body=f"{BODY}second line of a note\r"), "AA"),
    "UTF-8": (text(head(charset="UNICODE UTF-8"), BODY.replace("Test", "Zoé")), "AA"),
    "8859/1": (
        text(head(charset="8859/1"), BODY.replace("Test", "Zoé"), codec="iso8859-1"),
        "AA",
    ),
    "8859/15": (
        text(head(charset="8859/15"), BODY.replace("Test", "Cœur"), codec="iso8859-15"),
        "AA",
    ),
    "Windows": (text(head(charset="WINDOWS-1252"), "NTE|1||l’œil\r" + BODY, codec="cp1252"), "AA"),
    "UTF-16": (text(head(charset="UNICODE UTF-16"), codec="utf-16"), "AA"),
    "an unknown charset over ASCII": (text(head(charset="KLINGON")), "AA"),
    "odd delimiters": (
        b"MSH#*!%@#A#B#C#D#1##REF*I12#C1#T#2.4\rPID#1##9*@x!8\rZZZ#%F%\r",
        "AA",
    ),
    "five encoding characters": (text(head(version="2.7").replace("^~\\&", "^~\\&#")), "AA"),
    "escapes": (text(body=BODY + "NTE|2||a\\F\\b\\.br\\c\\XE9\\ \\broken\\\r"), "AA"),
    "null": (text(body=BODY.replace("Synthetic^Test", '""')), "AA"),
    "an unknown patient identifier type": (text(body=BODY.replace("JHN", "KLUB")), "AA"),
    "no patient identifier": (text(body="PID|1||||Synthetic^Test\r"), "AA"),
    "an empty patient": (text(body="PID|1\r"), "AA"),
    "enhanced mode": (text(head(mode="AL|AL")), "CA"),
    "enhanced, on success only": (text(head(mode="SU|")), "CA"),
    "enhanced, on errors only": (text(head(mode="ER|")), None),
    "enhanced, never": (text(head(mode="NE|AL")), None),
    "OSCAR without control id": (OSCAR.encode(), "AA"),
    "400 results": (text(body=BODY + "OBX|1|TX|a||b\r" * 400), "AA"),
    "a megabyte of text": (text(body=BODY + f"OBX|1|ED|a||^^^Base64^{'QUFB' * 250_000}\r"), "AA"),
}

BAD: dict[str, tuple[bytes, str | None, str]] = {
    "nothing": (b"", "AR", "100"),
    "a blank": (b" ", "AR", "100"),
    "a line feed": (b"\n", "AR", "100"),
    "zeros": (b"\0" * 100, "AR", "100"),
    "nonsense": (bytes(range(256)), "AR", "100"),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "AR", "100"),
    "XML": (b"<REF_I12 xmlns='urn:hl7-org:v2xml'/>", "AR", "100"),
    "FHIR": (b'{"resourceType":"Bundle"}', "AR", "100"),
    "only MSH": (b"MSH", "AR", "100"),
    "MSH and a delimiter": (b"MSH|", "AR", "100"),
    "a segment end in MSH": (text().replace(b"MSH|", b"MSH\r|", 1), "AR", "100"),
    "a segment before MSH": (b"PID|1\r" + text(), "AR", "100"),
    "lower case": (text().replace(b"MSH", b"msh"), "AR", "100"),
    "a batch in a frame": (b"FHS|^~\\&\rBHS|^~\\&\r" + text() + b"BTS|1\rFTS|1\r", "AR", "100"),
    "two messages in a frame": (text() + text(), "AE", "100"),
    "no encoding characters": (b"MSH||CLINIC|||||REF^I12|C1|T|2.5\r", "AR", "102"),
    "encoding characters twice": (text().replace(b"^~\\&", b"^^\\&", 1), "AR", "102"),
    "letters for encoding characters": (text().replace(b"^~\\&", b"abcd", 1), "AR", "102"),
    "Latin 1 said to be UTF-8": (
        text(head(charset="UNICODE UTF-8"), BODY.replace("Test", "Zoé"), codec="iso8859-1"),
        "AE",
        "102",
    ),
    "Latin 1 said to be nothing": (
        text(body=BODY.replace("Test", "Zoé"), codec="iso8859-1"),
        "AE",
        "102",
    ),
    "UTF-8 said to be ASCII": (
        text(head(charset="ASCII"), BODY.replace("Test", "Zoé")),
        "AE",
        "102",
    ),
    "Windows said to be Latin 1": (
        text(head(charset="8859/1"), "NTE|1||l’œil\r" + BODY, codec="cp1252"),
        "AE",
        "102",
    ),
    "UTF-8 said to be UTF-16": (text(head(charset="UNICODE UTF-16")), "AE", "102"),
    "UTF-16 cut in a character": (text(codec="utf-16")[:-1], "AE", "102"),
    "a charset nobody knows": (
        text(head(charset="KLINGON"), BODY.replace("Test", "Zoé")),
        "AE",
        "103",
    ),
    "no control id": (text(head(id="")), "AR", "101"),
    "a null control id": (text(head(id='""')), "AR", "101"),
    "no patient": (text(body="PRD|RT|Hub\r"), "AE", "100"),
    "nothing but a header": (text(body=""), "AE", "100"),
    "a result without patient": (text(head("ORU^R01"), "OBR|1\r"), "AE", "100"),
    "a patient in lower case": (text(body=BODY.replace("PID|", "pid|")), "AE", "100"),
    "no message type": (text(head("")), "AR", "200"),
    "an unknown message type": (text(head("ZZZ^Z01")), "AR", "200"),
    "an admission": (text(head("ADT^A01^ADT_A01")), "AR", "200"),
    "an unknown event": (text(head("REF^I99")), "AR", "201"),
    "no event": (text(head("REF")), "AR", "201"),
    "another result": (text(head("ORU^R30")), "AR", "201"),
    "no processing id": (text(head(processing="")), "AR", "202"),
    "an unknown processing id": (text(head(processing="X")), "AR", "202"),
    "no version": (text(head(version="")), "AR", "203"),
    "an old version": (text(head(version="2.2")), "AR", "203"),
    "a version to come": (text(head(version="3.0")), "AR", "203"),
    "enhanced, refused": (text(head("ADT^A01", mode="AL|")), "CR", "200"),
    "enhanced, in error": (text(head(mode="ER|"), "PRD|RT\r"), "CE", "100"),
    "enhanced, never": (text(head("ADT^A01", mode="NE|")), None, ""),
    "enhanced, on success only": (text(head("ADT^A01", mode="SU|")), None, ""),
    "an acknowledgement": (text(head("ACK^I12"), "MSA|AA|1\r"), None, ""),
    "too many segments": (text(body=BODY + "ZZZ|1\r" * 20_001), "AR", "207"),
    "too many repetitions": (text(body=BODY + "ZZZ|" + "~" * 500_001), "AR", "207"),
    "9 MB of separators": (text(body=BODY + "ZZZ" + "|" * 9_000_000), "AR", "207"),
    "9 MB of segment ends": (text(body="\r" * 9_000_000), "AR", "207"),
    "10 MB of nonsense": (b"\xf0" * 10_000_000, "AR", "100"),
    "more than 10 MB": (text(body=BODY + "ZZZ|" + "x" * 10_500_000), "AR", "207"),
}

FRAMES: dict[str, tuple[bytes, list[tuple[str, str]]]] = {
    "a frame cut in half": (frame(text())[:60] + frame(text(head(id="C2"))), ["AE", "AA"]),
    "a frame without its end": (frame(text())[:-2], ["AE"]),
    "two frames in one packet": (frame(text()) + frame(text(head(id="C2"))), ["AA", "AA"]),
    "rubbish between frames": (frame(text()) + b"??" + frame(text(head(id="C2"))), ["AA", "AA"]),
    "no frame at all": (text(), ["AE"]),
    "an empty frame": (frame(b"") + frame(text()), ["AR", "AA"]),
    "too large, then good": (frame(b"MSH|" + b"x" * 11_000_000) + frame(text()), ["AR", "AA"]),
}  # type: ignore[dict-item]


def answer_of(data: bytes) -> tuple[str | None, list[str | None]]:
    if not data:
        return None, []
    message = Message.parse(data)
    ack = message.segment("MSA")
    assert ack is not None
    modern = [e.get(3) for e in message.all("ERR") if e.get(4) != "W"]
    return ack.get(1), modern if message.version >= "2.5" else [
        e.get(1, 0, 4) for e in message.all("ERR")
    ]


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(GOOD) >= 30
    assert len(BAD) >= 40


@pytest.mark.parametrize("name", GOOD)
def test_a_good_message_is_kept_and_accepted(name: str, system: Hl7v2, context: Any) -> None:
    raw, code = GOOD[name]
    assert answer_of(asyncio.run(system.handle(raw))) == (code, [])
    [kept] = context.accepted
    assert (kept.raw, kept.format) == (raw, "hl7v2")
    assert context.refused == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_message_is_refused_journaled_and_explained(
    name: str, system: Hl7v2, context: Any
) -> None:
    raw, code, condition = BAD[name]
    back = asyncio.run(system.handle(raw))
    assert answer_of(back) == (code, [condition] if code else [])
    [refusal] = context.refused
    assert refusal.raw == raw
    assert refusal.message
    assert refusal.fix
    assert context.accepted == []
    for marker in (b"Synthetic", b"9999999999", b"Zo"):
        assert marker not in back
        assert marker.decode() not in f"{refusal.message}{refusal.fix}{context.log.lines}"


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_of_a_stream_is_answered(name: str, system: Hl7v2, context: Any) -> None:
    stream, codes = FRAMES[name]
    deframer = Deframer(system.config.max_bytes)
    frames = [*deframer.feed(stream), *deframer.close()]

    async def answers() -> list[bytes]:
        return [await one(each) for each in frames]

    async def one(each: Frame) -> bytes:
        return await (system.refuse(each) if each.fault else system.handle(each.data))

    assert [answer_of(back)[0] for back in asyncio.run(answers())] == codes
    assert len(context.accepted) + len(context.refused) == len(codes)


def test_a_second_copy_gets_the_first_answer_and_no_second_effect(
    system: Hl7v2, context: Any
) -> None:
    async def twice() -> tuple[bytes, bytes]:
        return await system.handle(text()), await system.handle(text())

    first, second = asyncio.run(twice())
    assert first == second
    assert len(context.accepted) == 1


def test_a_control_id_with_other_content_is_a_conflict(system: Hl7v2, context: Any) -> None:
    async def twice() -> bytes:
        await system.handle(text())
        return await system.handle(text(body=BODY.replace("lonely", "hungry")))

    assert answer_of(asyncio.run(twice())) == ("AE", ["205"])
    assert len(context.accepted) == 1


def test_oscar_messages_are_told_apart_by_their_bytes(system: Hl7v2, context: Any) -> None:
    async def three() -> list[bytes]:
        other = OSCAR.replace("19|2026", "20|2026").encode()
        return [await system.handle(each) for each in (OSCAR.encode(), other, OSCAR.encode())]

    answers = asyncio.run(three())
    assert [answer_of(each)[0] for each in answers] == ["AA", "AA", "AA"]
    assert len(context.accepted) == 2
    assert {each.dialect for each in context.accepted} == {"oscar-esend"}
    assert all(each.key.startswith("sha256:") for each in context.accepted)


def test_an_unknown_identifier_type_is_said_to_the_sender_as_a_warning(system: Hl7v2) -> None:
    back = Message.parse(asyncio.run(system.handle(GOOD["an unknown patient identifier type"][0])))
    [error] = back.all("ERR")
    assert (error.get(3), error.get(4)) == ("103", "W")


def test_utf_8_that_is_said_to_be_latin_1_is_followed_and_doubted(system: Hl7v2) -> None:
    raw = text(head(charset="8859/1"), BODY.replace("Test", "Zoé"))
    back = Message.parse(asyncio.run(system.handle(raw)))
    assert [(e.get(3), e.get(2, 0, 3), e.get(4)) for e in back.all("ERR")] == [("102", "18", "W")]
    right = text(head(id="C2", charset="8859/1"), BODY.replace("Test", "Zoé"), codec="iso8859-1")
    assert Message.parse(asyncio.run(system.handle(right))).all("ERR") == []


@pytest.mark.parametrize("processing", ["T", "D"])
def test_a_site_that_is_not_a_test_takes_no_tests(
    processing: str, make_system: Any, context: Any
) -> None:
    context.test = False
    raw = text(head(processing=processing))
    assert answer_of(asyncio.run(make_system(context).handle(raw))) == ("AR", ["202"])
    assert (
        answer_of(asyncio.run(make_system(context).handle(text(head(processing="P")))))[0] == "AA"
    )


@pytest.mark.parametrize("processing", ["P", "T", "D"])
def test_what_says_that_it_is_a_test_is_flagged(
    processing: str, system: Hl7v2, context: Any
) -> None:
    asyncio.run(system.handle(text(head(processing=processing))))
    assert context.accepted[0].test == (processing != "P")


def test_a_store_that_cannot_take_a_message_leaves_it_with_the_sender(
    system: Hl7v2, context: Any
) -> None:
    context.full = True
    assert answer_of(asyncio.run(system.handle(text()))) == ("AE", ["207"])
    assert answer_of(asyncio.run(system.handle(b"junk")))[0] == "AE"
    assert answer_of(asyncio.run(system.refuse(Frame(b"MSH|^~\\&|A", "unterminated"))))[0] == "AE"


def test_a_fault_of_our_own_is_no_silence_and_no_traceback(system: Hl7v2, context: Any) -> None:
    context.fault = RuntimeError("SECRET")
    assert answer_of(asyncio.run(system.handle(text()))) == ("AE", ["207"])
    assert "SECRET" not in str(context.log.lines)


def test_a_site_may_know_its_charset_better_than_its_messages(
    make_system: Any, context: Any
) -> None:
    system = make_system(context, charset="WINDOWS-1252")
    raw = BAD["Windows said to be Latin 1"][0]
    assert answer_of(asyncio.run(system.handle(raw)))[0] == "AA"
