"""MSH-18 is believed, and checked against the bytes."""

from __future__ import annotations

import codecs

import pytest

from adapter_hl7v2.charset import DECLARED, codec_of
from adapter_hl7v2.dialects import Dialect
from adapter_hl7v2.errors import ReadError
from adapter_hl7v2.message import Message


def head(declared: str) -> str:
    return f"MSH|^~\\&|A|B|C|D|20260115||REF^I12|1|P|2.5.1||||||{declared}\r"


def name(declared: str, codec: str, text: str, dialect: Dialect | None = None) -> str | None:
    data = f"{head(declared)}PID|1||||{text}\r".encode(codec)
    message = Message.parse(data, dialect=dialect) if dialect else Message.parse(data)
    return message.segments[1].get(5)


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        ("UNICODE UTF-8", "utf-8", "Zoé 山田 Ωμέγα"),
        ("UTF-8", "utf-8", "Zoé"),
        ("utf8", "utf-8", "Zoé"),
        ("UNICODE", "utf-8", "Zoé"),
        ("", "utf-8", "Zoé"),
        ("", "utf-8-sig", "Zoé"),
        ("UNICODE UTF-8", "utf-8-sig", "Zoé"),
        ("ASCII", "ascii", "Zoe"),
        ("8859/1", "iso8859-1", "Zoé"),
        ("ISO-8859-1", "iso8859-1", "Zoé"),
        ("8859/1~UNICODE UTF-8", "iso8859-1", "Zoé"),
        ("8859/2", "iso8859-2", "Łódź"),
        ("8859/3", "iso8859-3", "Ġan"),
        ("8859/4", "iso8859-4", "ģ"),
        ("8859/5", "iso8859-5", "Иван"),
        ("8859/6", "iso8859-6", "علي"),
        ("8859/7", "iso8859-7", "Ωμέγα"),
        ("8859/8", "iso8859-8", "שלום"),
        ("8859/9", "iso8859-9", "Işık"),
        ("8859/10", "iso8859-10", "Þór"),
        ("8859/13", "iso8859-13", "Ąžuolas"),
        ("8859/14", "iso8859-14", "Ŵyn"),
        ("8859/15", "iso8859-15", "Cœur €"),
        ("WINDOWS-1252", "cp1252", "L’œuvre"),
        ("cp1252", "cp1252", "L’œuvre"),
        ("GB 18030-2000", "gb18030", "山田"),
        ("KS X 1001", "euc_kr", "김"),
        ("BIG-5", "big5", "山田"),
        ("UNICODE UTF-16", "utf-16", "Zoé 山"),
        ("UNICODE UTF-16", "utf-16-le", "Zoé"),
        ("", "utf-16-be", "Zoé"),
        ("UNICODE UTF-32", "utf-32", "Zoé"),
        ("KLINGON", "ascii", "Zoe"),
    ],
)
def test_a_declared_charset_is_read(declared: str, codec: str, text: str) -> None:
    assert name(declared, codec, text) == text


@pytest.mark.parametrize(
    ("declared", "codec", "text", "code"),
    [
        ("UNICODE UTF-8", "iso8859-1", "Zoé", "charset-mismatch"),
        ("", "iso8859-1", "Zoé", "charset-mismatch"),
        ("ASCII", "utf-8", "Zoé", "charset-mismatch"),
        ("8859/1", "cp1252", "L’œuvre", "charset-mismatch"),
        ("8859/1", "utf-8", "À", "charset-mismatch"),
        ("8859/1", "utf-8-sig", "é", "charset-mismatch"),
        ("8859/6", "iso8859-1", "é\xa1", "charset-mismatch"),
        ("UNICODE UTF-16", "utf-8", "Zoe", "charset-mismatch"),
        ("UNICODE UTF-8", "utf-16", "Zoe", "charset-mismatch"),
        ("UTF-16", "utf-32", "Zoe", "charset-mismatch"),
        ("KLINGON", "utf-8", "Zoé", "charset-unknown"),
    ],
)
def test_a_charset_that_is_not_true_is_refused(
    declared: str, codec: str, text: str, code: str
) -> None:
    with pytest.raises(ReadError) as caught:
        name(declared, codec, text)
    assert caught.value.code == f"hl7v2.{code}"
    assert caught.value.location == "MSH-18"


def test_utf_16_that_ends_in_the_middle_of_a_character_is_refused() -> None:
    with pytest.raises(ReadError) as caught:
        Message.parse(codecs.BOM_UTF16_LE + head("").encode("utf-16-le") + b"P")
    assert caught.value.code == "hl7v2.charset-mismatch"


def test_a_dialect_may_know_better_than_the_message() -> None:
    lying = Dialect(name="site", charset="cp1252")
    assert name("8859/1", "cp1252", "L’œuvre", lying) == "L’œuvre"
    silent = Dialect(name="site", default_charset="iso8859-1")
    assert name("", "iso8859-1", "Zoé", silent) == "Zoé"
    assert name("UNICODE UTF-8", "utf-8", "Zoé", silent) == "Zoé"


def test_every_name_that_we_write_we_can_read() -> None:
    assert {codec_of(declared) for declared in DECLARED.values()} == set(DECLARED)
