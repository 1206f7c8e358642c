"""The fake mail server is a real one, and each of its faults is what its name says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import aiosmtplib
import pytest

from adapter_conformance.fakes.certificates import Authority
from adapter_conformance.fakes.mail_server import FAULTS, MailServer

pytestmark = [pytest.mark.anyio, pytest.mark.network]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer() as made:
        made.slow_seconds = 0.2
        yield made


def mail(subject: str = "Hello") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@clinic.example", "b@agency.example", subject
    made.set_content("Nothing about anybody.")
    return made


async def sent(server: MailServer, **more: Any) -> None:
    said = {"start_tls": False, "timeout": 3} | more
    await aiosmtplib.send(mail(), hostname="localhost", port=server.port, **said)


async def test_a_mail_arrives_with_its_envelope(server: MailServer) -> None:
    await sent(server)

    [found] = server.mails
    assert (found["Subject"], found.get_content().strip()) == ("Hello", "Nothing about anybody.")
    assert (server.senders, server.recipients) == (["a@clinic.example"], [["b@agency.example"]])
    assert server.commands == ["EHLO", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize(
    ("fault", "code", "last"),
    [
        ("login-refused", 535, "MAIL"),
        ("login-required", 530, "MAIL"),
        ("unavailable", 451, "MAIL"),
        ("sender-refused", 550, "MAIL"),
        ("greylisted", 450, "RCPT"),
        ("unknown-recipient", 550, "RCPT"),
        ("full-disk", 452, "DATA"),
        ("refused", 554, "DATA"),
    ],
)
async def test_a_refusal_has_its_number_in_its_place_and_keeps_nothing(
    server: MailServer, fault: str, code: int, last: str
) -> None:
    server.fail_next(fault)
    with pytest.raises((aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused)) as no:
        await sent(server)

    refused = no.value
    if isinstance(refused, aiosmtplib.SMTPRecipientsRefused):
        refused = refused.recipients[0]
    assert refused.code == code
    assert server.text in refused.message
    assert (server.commands[-1], server.raw) == (last, [])
    await sent(server)
    assert len(server.raw) == 1


@pytest.mark.parametrize(
    ("fault", "kept"),
    [("hang-up", 0), ("busy", 0), ("nonsense", 0), ("cut-off", 0), ("lost-answer", 1)],
)
async def test_a_connection_that_ends_keeps_what_its_name_says(
    server: MailServer, fault: str, kept: int
) -> None:
    server.fail_next(fault)
    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await sent(server)
    assert len(server.raw) == kept


async def test_slow_is_later_and_right(server: MailServer) -> None:
    server.fail_next("slow")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await sent(server)
    assert loop.time() - begun >= server.slow_seconds
    assert len(server.raw) == 1


@pytest.mark.parametrize("mode", ["tls", "starttls"])
async def test_it_speaks_tls_and_wants_a_login(
    tmp_path: Path, mode: Literal["tls", "starttls"]
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("localhost")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)
    async with MailServer(tls=tls, mode=mode, login=("adapter", "synthetic")) as server:
        way = {
            "use_tls": mode == "tls",
            "start_tls": mode == "starttls",
            "cert_bundle": str(authority.certificate),
        }
        await sent(server, username="adapter", password="synthetic", **way)
        for wrong in ({"username": "adapter", "password": "wrong"}, {}):
            with pytest.raises(aiosmtplib.SMTPResponseException) as no:
                await sent(server, **wrong, **way)
            assert no.value.code in (530, 535)
        server.fail_next("login-refused")
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await sent(server, username="adapter", password="synthetic", **way)
    assert len(server.raw) == 1


async def test_a_name_that_is_no_fault_is_refused(server: MailServer) -> None:
    with pytest.raises(ValueError, match="no fault 'tired'; there are: hang-up, "):
        server.fail_next("greylisted", "tired")
    await sent(server)
    assert len(server.raw) == 1


def test_every_fault_is_explained_and_tried_here() -> None:
    here = Path(__file__).read_text("utf-8")
    assert [each for each in FAULTS if f'"{each}"' not in here] == []
    assert all(FAULTS.values())
