"""What the splitter promises: whole, in order, escapes both ways, nothing injected."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_hl7v2.encoding import Encoding
from adapter_hl7v2.errors import ReadError, WriteError
from adapter_hl7v2.limits import Limits
from adapter_hl7v2.message import Message

HEAD = "MSH|^~\\&|CLINIC|SITE|ADAPTER|HUB|20260115||REF^I12^REF_I12|C1|T|2.5.1||||||UNICODE UTF-8"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def read(*segments: str, head: str = HEAD, end: str = "\r") -> Message:
    return Message.parse((end.join((head, *segments)) + end).encode())


def write() -> Message:
    return Message.new(
        type="RRI",
        trigger="I12",
        structure="RRI_I12",
        version="2.5.1",
        control_id="R1",
        time=datetime(2026, 1, 15, 10, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n"])
def test_every_line_end_gives_the_same_segments(end: str) -> None:
    message = read("PID|1||9", "ZXX|local", "PV1||O", end=end)
    assert [s.id for s in message.segments] == ["MSH", "PID", "ZXX", "PV1"]


def test_a_line_feed_inside_a_message_with_cr_is_text() -> None:
    message = read("NTE|1||first\nsecond", "PV1||O")
    assert message.segments[1].get(3) == "first\nsecond"


def test_a_line_feed_before_a_segment_id_ends_the_segment_even_among_cr() -> None:
    message = Message.parse(f"{HEAD}\rPID|1||9\nPV1||O\r".encode())
    assert [s.id for s in message.segments] == ["MSH", "PID", "PV1"]


def test_a_broken_line_is_kept_and_counted() -> None:
    message = read("NTE|1||first", "second line|of it", "PV1||O")
    assert [s.id for s in message.segments] == ["MSH", "NTE", "?", "PV1"]
    paths = [leaf.path for leaf in message.leaves()]
    assert "?[1]-1" in paths
    assert "?[1]-2" in paths


def test_a_short_word_alone_on_a_line_is_text_and_no_segment() -> None:
    message = read("NTE|1||she would", "too", "été", "RGS", "PV1||O")
    assert [s.id for s in message.segments] == ["MSH", "NTE", "?", "?", "RGS", "PV1"]
    assert [leaf.raw for leaf in message.leaves() if leaf.path.startswith("?")] == ["too", "été"]


def test_the_header_counts_its_fields_as_the_standard_does() -> None:
    message = read()
    assert message.header.get(1) == "|"
    assert message.header.get(2) == "^~\\&"
    assert message.header.get(3) == "CLINIC"
    assert (message.type, message.trigger, message.structure) == ("REF", "I12", "REF_I12")
    assert (message.control_id, message.version, message.kind) == ("C1", "2.5.1", "REF^I12")


def test_parts_are_found_by_repetition_component_and_subcomponent() -> None:
    pid = read("PID|1||A^^^CLINIC&1.2&ISO~B^^^HUB").segments[1]
    assert pid.get(3) == "A"
    assert pid.get(3, rep=1) == "B"
    assert pid.get(3, comp=4) == "CLINIC"
    assert pid.get(3, comp=4, sub=2) == "1.2"
    assert pid.get(3, rep=1, comp=4) == "HUB"
    assert pid.get(3, rep=2) is None
    assert pid.get(3, comp=9) is None
    assert pid.get(99) is None
    assert len(pid.repetitions(3)) == 2


def test_null_is_not_empty_and_not_text() -> None:
    pid = read('PID|1||""||""^Given').segments[1]
    assert pid.get(3) is None
    assert pid.is_null(3)
    assert not pid.is_null(4)
    assert pid.is_null(5)
    assert pid.get(5, comp=2) == "Given"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (r"O\T\Neil", "O&Neil"),
        (r"a\F\b\S\c\R\d\E\e", "a|b^c~d\\e"),
        (r"one\.br\two", "one\ntwo"),
        (r"one\.sp2\two", "one\n\ntwo"),
        (r"one\.sp +2\two", "one\n\ntwo"),
        (r"one\.sk3\two", "one   two"),
        (r"\H\loud\N\ quiet", "loud quiet"),
        (r"caf\XC3A9\ ", "café "),
        (r"caf\XC3\\XA9\ ", "café "),
        (r"\X0D0A\ ", "\r\n "),
        (r"\XC3\ alone", r"\XC3\ alone"),
        (r"\XC\ odd", r"\XC\ odd"),
        (r"C:\temp\x", r"C:\temp\x"),
        (r"C:\temp \F\ x", r"C:\temp | x"),
        (r"\Zlocal\ ", r"\Zlocal\ "),
        (r"\E\T\E\ ", r"\T\ "),
        (r"\.sk999999999\ ", r"\.sk999999999\ "),
        ("lone \\", "lone \\"),
    ],
)
def test_escapes_are_read(raw: str, text: str) -> None:
    assert read(f"NTE|1||{raw}").segments[1].get(3) == text


def test_a_charset_switch_holds_for_what_follows() -> None:
    head = HEAD.replace("UNICODE UTF-8", "8859/1~8859/5")
    data = f"{head}\rNTE|1||caf\xe9 \\C2D4C\\\xbc\xd8\xe0\\C2842\\ end\r".encode("latin-1")
    assert Message.parse(data).segments[1].get(3) == "café Мир end"


def test_a_japanese_switch_is_read() -> None:
    assert read(r"NTE|1||\M2442\;3ED\C2842\!").segments[1].get(3) == "山田!"


@given(TEXTS, st.integers(1, 9), st.integers(0, 3), st.integers(1, 5), st.integers(1, 4))
def test_a_text_comes_back_from_where_it_was_written(
    text: str, field: int, rep: int, comp: int, sub: int
) -> None:
    message = write()
    message.add("ZZZ").set(field, text, rep, comp, sub)
    back = Message.parse(message.to_bytes())
    assert [s.id for s in back.segments] == ["MSH", "ZZZ"]
    assert back.segments[1].get(field, rep, comp, sub) == text
    assert [leaf.segment for leaf in back.leaves()].count(1) == 1


@given(st.dictionaries(st.tuples(*[st.integers(1, 4)] * 4), TEXTS, max_size=12))
def test_a_message_built_value_by_value_reads_back_equal(
    values: dict[tuple[int, int, int, int], str],
) -> None:
    message = write()
    segment = message.add("ZZZ")
    for (field, rep, comp, sub), text in values.items():
        segment.set(field, text, rep - 1, comp, sub)
    back = Message.parse(message.to_bytes())
    found = {
        (leaf.field, leaf.rep + 1, leaf.comp, leaf.sub): back.encoding.unescape(leaf.raw)
        for leaf in back.leaves()
        if leaf.segment == 1
    }
    assert found == values
    paths = [leaf.path for leaf in back.leaves()]
    assert len(set(paths)) == len(paths)


@given(st.text(alphabet="|^~&\\\r\n\x0b\x1c\"'MSHPIDX0 ", max_size=40))
def test_no_value_can_break_out_of_its_place(text: str) -> None:
    message = write()
    message.add("NTE").set(3, text)
    data = message.to_bytes()
    assert data.count(b"\r") == len(Message.parse(data).segments) == 2
    assert b"\x0b" not in data
    assert b"\x1c" not in data
    assert Message.parse(data).segments[1].get(3) == (text or None)


@given(st.text(alphabet='AZ9|^~\\&"', max_size=60))
def test_leaves_hold_every_character_that_is_no_separator(line: str) -> None:
    message = read(f"ZZZ|{line}")
    raws = [leaf.raw for leaf in message.leaves() if leaf.segment == 1]
    assert "".join(raws) == "".join(c for c in line if c not in "|^~&")
    for leaf in message.leaves():
        assert message.segments[leaf.segment].part(leaf.field, leaf.rep, leaf.comp, leaf.sub) == (
            leaf.raw
        )


def test_leaf_paths_say_as_much_as_the_message_divides() -> None:
    message = read("PID|1||A^^^C&1.2~B||Fam^Given", "NTE|1||x", "NTE|2||y")
    paths = [leaf.path for leaf in message.leaves() if leaf.segment]
    assert paths == [
        "PID[1]-1",
        "PID[1]-3[1].1",
        "PID[1]-3[1].4.1",
        "PID[1]-3[1].4.2",
        "PID[1]-3[2]",
        "PID[1]-5.1",
        "PID[1]-5.2",
        "NTE[1]-1",
        "NTE[1]-3",
        "NTE[2]-1",
        "NTE[2]-3",
    ]


def test_msh_1_and_msh_2_are_no_leaves() -> None:
    assert next(read().leaves()).path == "MSH[1]-3"


def test_a_parsed_message_is_written_back_as_it_came() -> None:
    raw = f"{HEAD}\rPID|1||A^^~~|\\.br\\||\rZZZ\r"
    message = Message.parse(raw.encode())
    assert message.to_bytes() == raw.encode()


def test_writing_one_field_leaves_the_others_alone() -> None:
    pid = read(r"PID|1||A^^^C~B|\.br\ ").segments[1]
    pid.set(3, "Z", rep=1)
    assert pid.raw == r"PID|1||A^^^C~Z|\.br\ "


def test_clearing_takes_the_separators_with_it() -> None:
    segment = write().add("ZZZ").set(2, "x", comp=3).set(2, None, comp=3)
    assert segment.raw == "ZZZ"


def test_a_whole_field_is_written_from_its_components() -> None:
    segment = write().add("PID").set_field(5, "O|Neil", "Ann", None).set_null(7)
    assert segment.raw == 'PID|||||O\\F\\Neil^Ann||""'


@pytest.mark.parametrize("place", [(1,), (2,), (0,)])
def test_the_delimiters_of_a_message_cannot_be_overwritten(place: tuple[int]) -> None:
    with pytest.raises(WriteError) as caught:
        write().header.set(*place, "x")
    assert caught.value.code == "hl7v2.no-such-place"


@pytest.mark.parametrize("name", ["", "PI", "pid", "PID|", "P\rD", "ÉAB"])
def test_a_segment_needs_a_segment_id(name: str) -> None:
    with pytest.raises(WriteError):
        write().add(name)


def test_a_character_that_the_charset_lacks_is_an_error_not_a_question_mark() -> None:
    message = Message.new(
        type="ACK",
        trigger="I12",
        version="2.4",
        control_id="1",
        time=datetime(2026, 1, 15, tzinfo=UTC),
        encoding=Encoding(codec="iso8859-1"),
    )
    message.add("NTE").set(3, "cœur")
    with pytest.raises(WriteError) as caught:
        message.to_bytes()
    assert caught.value.code == "hl7v2.not-encodable"


def test_odd_delimiters_are_taken_from_the_message() -> None:
    data = b"MSH#*!%@#CLINIC##########2.4\rPID#1##A*B@C!D##O%T%Neil\r"
    message = Message.parse(data)
    assert message.encoding == Encoding("#", "*", "!", "%", "@")
    pid = message.segments[1]
    assert (pid.get(3, 0, 2, 2), pid.get(3, 1), pid.get(5)) == ("C", "D", "O@Neil")


def test_a_fifth_encoding_character_is_the_truncation_mark() -> None:
    message = read(r"NTE|1||cut \P\ here#", head=HEAD.replace("^~\\&", "^~\\&#"))
    assert message.segments[1].get(3) == "cut # here#"


@pytest.mark.parametrize("characters", ["^^\\&", "^~^&", "abcd", "^~\\&##", " ~\\&", "^~\\&#!"])
def test_delimiters_that_cannot_be_told_apart_are_refused(characters: str) -> None:
    with pytest.raises(ReadError) as caught:
        read(head=HEAD.replace("^~\\&", characters))
    assert caught.value.code == "hl7v2.encoding-characters"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no-message"),
        (b"   \r\n", "no-message"),
        (b"MSH", "no-message"),
        (b"PID|1||9", "no-message"),
        (b"<xml/>", "no-message"),
        (b"MSH|^~\\&|A\rPID|1\rMSH|^~\\&|B\r", "several-messages"),
    ],
)
def test_what_is_not_one_message_is_named(data: bytes, code: str) -> None:
    with pytest.raises(ReadError) as caught:
        Message.parse(data)
    assert caught.value.code == f"hl7v2.{code}"


SMALL = Limits(size=2000, segments=100, elements=500)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\r" + b"x" * 2001, "too-large"),
        (b"\r" * 101, "too-many-segments"),
        (b"\n" * 101, "too-many-segments"),
        (b"\rZZZ|" + b"|" * 501, "too-many-elements"),
        (b"\rZZZ|" + b"~^&|" * 126, "too-many-elements"),
        (b"\rZZZ|" + b"\n" * 501, "too-many-elements"),
        (b"\r" * 501, "too-many-elements"),
    ],
)
def test_caps_are_named(body: bytes, code: str) -> None:
    with pytest.raises(ReadError) as caught:
        Message.parse(b"MSH|^~\\&|A" + body, limits=SMALL)
    assert caught.value.code == f"hl7v2.{code}"


@pytest.mark.parametrize(
    "body", [b"\rNTE|1||a" + b"\n" * 200 + b"b", b"\r" * 99, b"\n" * 99, b"\rZZZ|" + b"|" * 480]
)
def test_what_is_no_more_than_the_caps_is_read(body: bytes) -> None:
    assert Message.parse(b"MSH|^~\\&|A" + body, limits=SMALL).raws()


def test_a_long_run_of_line_feeds_in_a_text_is_read_in_one_go() -> None:
    text = "a" + "\n" * 400_000 + "b"
    message = Message.parse(f"MSH|^~\\&|A\rNTE|1||{text}\r".encode())
    assert message.raws()[1] == f"NTE|1||{text}"


def test_an_error_shows_nothing_of_the_message() -> None:
    with pytest.raises(ReadError) as caught:
        Message.parse(
            b"MSH|^~\\&|||||||||||||||8859/1\rPID|1||SECRET\x92\r".replace(b"8859/1", b"ASCII")
        )
    error = caught.value
    assert "SECRET" not in f"{error} {error.fix} {error.detail} {error!r}"
    assert "SECRET" not in repr(read("PID|1||SECRET")) + repr(read("PID|1||SECRET").segments)
