"""Real mail over loopback: what arrives, and what each refusal of the server means."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from mail_server import Mailroom, certificate, mail_server
from pydantic import ValidationError
from web_server import web_server

from adapter.plugin import AuthError, ConfigError, DataError, TransientError
from adapter_link.config import LinkConfig
from adapter_link.system import Link

pytestmark = pytest.mark.network


def settings(port, **more):
    return LinkConfig(
        **{
            "smtp_host": "localhost",
            "smtp_port": port,
            "smtp_tls": "none",
            "smtp_timeout": 5,
            "sender": "Referrals <referrals@clinic.example>",
            "recipient": "intake@agency.example",
            **more,
        }
    )


def deliver(context, outbound, room, *, server=None, **more):
    async def scene():
        async with mail_server(room, **(server or {})) as port:
            link = Link(settings(port, **more), context)
            return await link.deliver(outbound())

    return asyncio.run(scene())


def test_a_mail_arrives_whole(context, outbound):
    room = Mailroom()
    delivered = deliver(context, outbound, room)
    [mail] = room.mails
    assert mail["Message-ID"] == delivered.external_ids["message-id"]
    assert mail["Subject"].startswith("A referral is waiting for you (rx-7f3a2c)")
    assert {part.get_content_type() for part in mail.iter_parts()} == {"text/plain", "text/html"}
    assert "https://adapter.example/sites/agency/l/" in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("command", "reply", "kind"),
    [
        ("MAIL", "451 4.3.0 later", TransientError),
        ("MAIL", "550 5.7.1 not you", DataError),
        ("RCPT", "450 4.2.1 greylisted", TransientError),
        ("RCPT", "550 5.1.1 no such user", DataError),
        ("DATA", "452 4.3.1 full", TransientError),
        ("DATA", "554 5.7.1 refused", DataError),
        ("MAIL", "530 5.7.0 login first", AuthError),
    ],
)
def test_a_refusal_is_classed_by_its_code(context, outbound, command, reply, kind):
    room = Mailroom()
    room.replies[command] = reply
    with pytest.raises(kind) as error:
        deliver(context, outbound, room)
    assert type(error.value) is kind
    assert reply[:3] in str(error.value)
    assert error.value.fix
    assert room.mails == []


def test_a_refusal_does_not_repeat_the_address(context, outbound):
    room = Mailroom()
    room.replies["RCPT"] = "550 5.1.1 <intake@agency.example> unknown"
    with pytest.raises(DataError) as error:
        deliver(context, outbound, room)
    assert "intake@agency" not in f"{error.value} {error.value.detail} {error.value.fix}"


def test_nobody_listening_is_a_matter_of_time(context, outbound):
    async def scene():
        async with mail_server(Mailroom()) as port:
            pass
        await Link(settings(port), context).deliver(outbound())

    with pytest.raises(TransientError) as error:
        asyncio.run(scene())
    assert error.value.code == "link.smtp-unreachable"


def test_a_server_that_hangs_up_is_a_matter_of_time(context, outbound):
    async def scene():
        async def slam(reader, writer):
            writer.close()

        server = await asyncio.start_server(slam, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            await Link(settings(port), context).deliver(outbound())

    with pytest.raises(TransientError):
        asyncio.run(scene())


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_mail_goes_encrypted_to_a_server_with_a_known_certificate(
    context, outbound, tmp_path, mode
):
    public, tls = certificate(tmp_path)
    room = Mailroom()
    deliver(
        context,
        outbound,
        room,
        server={"tls": tls, "mode": mode},
        smtp_tls=mode,
        smtp_ca_file=public,
    )
    assert len(room.mails) == 1


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_an_unknown_certificate_stops_the_mail(context, outbound, tmp_path, mode):
    _, tls = certificate(tmp_path)
    room = Mailroom()
    with pytest.raises(TransientError):
        deliver(context, outbound, room, server={"tls": tls, "mode": mode}, smtp_tls=mode)
    assert room.mails == []
    assert "MAIL" not in room.commands


def test_a_server_without_starttls_gets_no_mail(context, outbound):
    room = Mailroom()
    with pytest.raises(ConfigError) as error:
        deliver(context, outbound, room, smtp_tls="starttls")
    assert error.value.code == "link.smtp-not-supported"
    assert room.mails == []


@pytest.mark.parametrize(("password", "right"), [("synthetic-password", True), ("wrong", False)])
def test_the_login_is_used(context, outbound, tmp_path, password, right):
    public, tls = certificate(tmp_path)
    room = Mailroom()
    more = {
        "server": {"tls": tls, "mode": "starttls", "auth": True},
        "smtp_tls": "starttls",
        "smtp_ca_file": public,
        "smtp_username": "adapter",
        "smtp_password": password,
    }
    if right:
        deliver(context, outbound, room, **more)
        assert len(room.mails) == 1
    else:
        with pytest.raises(AuthError) as error:
            deliver(context, outbound, room, **more)
        assert "wrong" not in f"{error.value} {error.value.detail}"


def test_the_check_says_ehlo_and_nothing_more(context):
    room = Mailroom()

    async def scene():
        async with mail_server(room) as port:
            found = await Link(settings(port), context).check()
        return found, await Link(settings(port), context).check()

    [_, ok], [_, fail] = asyncio.run(scene())
    assert ok.state == "ok"
    assert (fail.state, bool(fail.fix)) == ("fail", True)
    assert room.commands
    assert set(room.commands) == {"EHLO"}


def test_the_whole_way_in_over_real_sockets(context, outbound):
    room = Mailroom()

    async def scene():
        async with mail_server(room) as port:
            link = Link(settings(port), context)
            [endpoint] = link.endpoints()
            async with web_server(endpoint.app) as web:
                context.base = f"http://127.0.0.1:{web}/"
                return await visit(link)

    async def visit(link):
        await link.deliver(outbound())
        text = room.mails[0].get_body(("plain",)).get_content()
        address = re.search(r"http://\S+", text).group()
        async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as client:
            pages = [await client.get(address), await client.post(address)]
            told = room.mails[1].get_body(("plain",)).get_content()
            code = re.search(r"^(\d{6})\r?$", told, re.MULTILINE).group(1)
            pages.append(await client.post(f"{address}/code", data={"code": code}))
            return [page.text for page in pages]

    assert asyncio.run(scene()) == ["page landing", "page code", "page referral"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_host": "mail.example.org", "smtp_tls": "none"},
        {"smtp_host": "10.0.0.5", "smtp_tls": "none"},
        {"smtp_username": "adapter"},
        {"sender": "not an address"},
        {"sender": "a@b.example\nBcc: c@d.example"},
        {"recipient": "a@b.example, c@d.example"},
        {"link_days": 0},
        {"second_factor": "sms"},
        {"colour": "blue"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError) as error:
        settings(2525, **wrong)
    assert "Bcc" not in str(error.value)


def test_the_password_is_never_shown():
    made = settings(2525, smtp_username="adapter", smtp_password="synthetic-password")
    assert "synthetic-password" not in f"{made!r} {made}"
