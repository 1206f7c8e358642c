"""MSH-18: which charset the bytes are in, and whether they really are.

Names are those of HL7 table 0211 and what senders write instead of them. A message that declares
nothing is ASCII by the standard (chapter 2, MSH-18); senders who declare nothing and send more are
read as the dialect says, UTF-8 if it says nothing, and never by guessing.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from adapter_hl7v2.errors import ReadError

# Table 0211 by its own spelling, for what we write.
DECLARED = {
    "ascii": "ASCII",
    "utf-8": "UNICODE UTF-8",
    "utf-16": "UNICODE UTF-16",
    "utf-32": "UNICODE UTF-32",
    "gb18030": "GB 18030-2000",
    "euc_kr": "KS X 1001",
    "big5": "BIG-5",
    **{f"iso8859-{n}": f"8859/{n}" for n in (*range(1, 12), *range(13, 17))},
}

_CODECS = {
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    "UNICODE": "utf-8",
    "UTF8": "utf-8",
    "UNICODEUTF8": "utf-8",
    "ISOIR192": "utf-8",
    "UTF16": "utf-16",
    "UNICODEUTF16": "utf-16",
    "UTF32": "utf-32",
    "UNICODEUTF32": "utf-32",
    "LATIN1": "iso8859-1",
    "ISOIR100": "iso8859-1",
    "LATIN2": "iso8859-2",
    "LATIN9": "iso8859-15",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "KSX1001": "euc_kr",
    "BIG5": "big5",
    "ANSI": "cp1252",
    **{f"{p}8859{n}": f"iso8859-{n}" for p in ("", "ISO") for n in (*range(1, 12), *range(13, 17))},
    **{
        f"{p}{n}": f"cp{n}"
        for p in ("WINDOWS", "WIN", "CP")
        for n in (874, *range(1250, 1259), 437, 850, 852)
    },
}
_PUNCTUATION = re.compile(r"[^A-Z0-9]")
_HIGH_CONTROLS = re.compile(rb"[\x80-\x9f]")
_WIDE = {"utf-16", "utf-32"}
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BARE = tuple(
    (text.encode(codec), codec)
    for codec in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
    for text in ("MSH", "FHS", "BHS")
)


@lru_cache(maxsize=256)
def codec_of(name: str) -> str | None:
    """The Python codec of an MSH-18 value, or None if the name is not known.

    >>> codec_of("8859/15"), codec_of("UNICODE UTF-8"), codec_of("klingon")
    ('iso8859-15', 'utf-8', None)
    """
    return _CODECS.get(_PUNCTUATION.sub("", name.upper()))


def unwrap(data: bytes) -> tuple[bytes, str | None]:
    """Bytes without byte order mark, and the charset that the mark or the first bytes prove.

    UTF-16 and UTF-32 are turned into UTF-8 here, so that everything after works on bytes in which
    the delimiters are single bytes; the answer still names what they came as.

    Raises:
        ReadError: ``charset-mismatch``, if they begin as UTF-16 or UTF-32 and do not go on so.
    """
    if data[:3] == b"MSH":
        return data, None
    if data[:3] == codecs.BOM_UTF8:
        return data[3:], "utf-8"
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _narrow(data[len(mark) :], codec), codec[:6]
    if b"\0" in data[:4]:
        for start, codec in _BARE:
            if data.startswith(start):
                return _narrow(data, codec), codec[:6]
    return data, None


def decode(data: bytes, proven: str | None, declared: str, fallback: str) -> tuple[str, str]:
    """The text of a message, and the codec that it was in.

    Args:
        data: what `unwrap` returned.
        proven: the charset that `unwrap` found in the bytes themselves, or None.
        declared: MSH-18, first repetition, or empty.
        fallback: the codec of a message that declares nothing.

    Raises:
        ReadError: ``charset-unknown`` or ``charset-mismatch``. Plain ASCII bytes are the same in
            every charset that we know, so an unknown name over them is no error.
    """
    codec = codec_of(declared) if declared else (proven or fallback)
    if proven in _WIDE:
        if codec is not None and codec != proven:
            raise _mismatch(declared)
        return data.decode("utf-8"), proven or ""
    if data.isascii() and codec not in _WIDE:
        return data.decode("ascii"), codec or "ascii"
    if codec is None:
        raise ReadError(
            "charset-unknown",
            "MSH-18 names a charset that is not in HL7 table 0211",
            fix="send MSH-18 as in table 0211, for example UNICODE UTF-8 or 8859/1, or set charset"
            " for this site",
            condition="103",
            location="MSH-18",
        )
    if codec in _WIDE or (proven and proven != codec):
        raise _mismatch(declared)
    # ISO 8859 has no characters at 80-9F; text that uses them is of Windows or UTF-8.
    if codec.startswith("iso8859") and _HIGH_CONTROLS.search(data):
        raise _mismatch(declared)
    try:
        return data.decode(codec), codec
    except UnicodeDecodeError:
        raise _mismatch(declared) from None


def encode(text: str, codec: str) -> bytes:
    """Text in a charset, strictly; UTF-16 and UTF-32 with their mark.

    Raises:
        UnicodeEncodeError: a character that the charset has not.
    """
    return text.encode(codec)


def _narrow(data: bytes, codec: str) -> bytes:
    try:
        return data.decode(codec).encode("utf-8")
    except UnicodeError:
        raise _mismatch("") from None


def _mismatch(declared: str) -> ReadError:
    said = "the charset in MSH-18" if declared else "UTF-8, and MSH-18 declares no charset"
    return ReadError(
        "charset-mismatch",
        f"the bytes of the message are not {said}",
        fix="correct MSH-18 at the sender (Windows text is not 8859/1), or set charset for this"
        " site to what it really sends",
        condition="102",
        location="MSH-18",
    )
