"""`adapter convert` between two pipes, as `tail -f` and a program that reads would stand there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

MESSAGE = b"\r".join(
    [
        b"MSH|^~\\&|TESTEMR|CLINIC|ADAPTER|HUB|20260302100000-0500||REF^I12^REF_I12|%d|T|2.5.1",
        b"RF1|P|R|||A|%d|20260302||20260302",
        b"PRD|RP|Synthetic^Clinician|||||99001^^^SYNTH",
        b"PID|1||SYN-1^^^CLINIC^MR||Synthetic^Person",
        b"",
    ]
)
DOCUMENT = b'{"resourceType": "Patient",\n "id": "p%d"}\n'


@contextmanager
def converting(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "adapter.cli", "convert", *arguments, "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("from_", "message", "numbers"), [("hl7v2", MESSAGE, 2), ("fhir", DOCUMENT, 1)]
)
def test_a_message_is_converted_while_the_next_is_still_to_come(
    from_: str, message: bytes, numbers: int
) -> None:
    with converting("--from", from_, "--to", "fhir") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(message % ((number,) * numbers))
            if not number:
                continue  # it may go on: the next one tells
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["resourceType"] in ("Bundle", "Patient")
        process.stdin.close()
        assert len(process.stdout.read().splitlines()) == 1
        assert process.wait(30) == 0


def test_a_reader_that_has_enough_ends_it_without_a_word() -> None:
    with converting("--from", "hl7v2", "--to", "fhir") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(MESSAGE % (1, 1) + MESSAGE % (2, 2))
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write((MESSAGE % (3, 3)) * 3)
        process.stdin.close()
        assert process.wait(30) != 0
        assert b"Traceback" not in process.stderr.read()
