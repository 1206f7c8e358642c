"""Whatever comes, there is one answer and one record of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapter_hl7v2.acknowledge import header_of
from adapter_hl7v2.batch import split
from adapter_hl7v2.errors import ReadError
from adapter_hl7v2.message import Message
from adapter_hl7v2.system import Hl7v2
from adapter_hl7v2.validation import validate

BYTES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from(
        [b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"\x0b", b"\x1c\r", b"\xc3\xa9", b"\xff",
         b"MSH|^~\\&|", b"\rMSH|", b"\\X", b"\\.br\\", b'""', b"\0", b"\xef\xbb\xbf", b"BHS|"]
    ),
)  # fmt: skip
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), BYTES), min_size=1, max_size=6)
ONCE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


def edited(raw: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for where, cut, put in edits:
        at = int(where * len(raw))
        raw = raw[:at] + put + raw[at + cut :]
    return raw


@ONCE
@given(EDITS)
def test_an_edited_message_is_kept_or_refused_once_and_answered(
    make_system: Callable[..., Hl7v2],
    context: Any,
    make_referral: Callable[..., bytes],
    edits: list[tuple[float, int, bytes]],
) -> None:
    context.accepted.clear()
    context.refused.clear()
    raw = edited(make_referral(), edits)
    back = asyncio.run(make_system(context).handle(raw))
    assert len(context.accepted) + len(context.refused) == 1
    if back:
        ack = Message.parse(back).segment("MSA")
        assert ack is not None
        code = ack.get(1)
        assert code in ("AA", "AE", "AR", "CA", "CE", "CR")
        assert (code[1] == "A") == bool(context.accepted)
    else:
        assert header_of(raw).header.get(15) or header_of(raw).type in ("ACK", "MCF")
    assert not any("not-stored" in line for line in context.log.lines)


@ONCE
@given(EDITS)
@example([(0.5, 0, b"\n"), (0.5, 0, b"\n")])
def test_an_edited_message_can_be_validated_split_and_counted(
    make_referral: Callable[..., bytes], edits: list[tuple[float, int, bytes]]
) -> None:
    raw = edited(make_referral(), edits)
    validate(raw)
    for piece in split([raw]):
        try:
            message = Message.parse(piece)
        except ReadError:
            continue
        paths = [leaf.path for leaf in message.leaves()]
        assert len(set(paths)) == len(paths)
        again = Message.parse(message.to_bytes())
        assert [leaf.raw for leaf in again.leaves()] == [leaf.raw for leaf in message.leaves()]
