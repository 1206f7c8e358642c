"""Real mail over loopback: what arrives, and what each refusal of the server means."""

from __future__ import annotations

import asyncio
import re
import ssl

import httpx
import pytest
from pydantic import ValidationError
from web_server import web_server

from adapter.plugin import AuthError, ConfigError, DataError, TransientError
from adapter_conformance.fakes.certificates import Authority
from adapter_conformance.fakes.mail_server import MailServer
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


def deliver(context, outbound, room, **more):
    async def scene():
        async with room:
            link = Link(settings(room.port, **more), context)
            return await link.deliver(outbound())

    return asyncio.run(scene())


def certificate(folder):
    """An authority's PEM file, and a server context of localhost that it vouches for."""
    authority = Authority(folder)
    pair = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return authority.certificate, context


def test_the_name_of_this_machine_is_looked_up_once_and_not_for_each_mail(
    context, outbound, monkeypatch
):
    asked = []
    monkeypatch.setattr("adapter_link.smtp._named", [])
    monkeypatch.setattr("socket.getfqdn", lambda: asked.append(1) or "clinic.example")
    for _ in range(3):
        room = MailServer()
        deliver(context, outbound, room)
        assert len(room.mails) == 1
    assert asked == [1]


def test_a_mail_arrives_whole(context, outbound):
    room = MailServer()
    delivered = deliver(context, outbound, room)
    [mail] = room.mails
    assert mail["Message-ID"] == delivered.external_ids["message-id"]
    assert mail["Subject"].startswith("A referral is waiting for you (rx-7f3a2c)")
    assert {part.get_content_type() for part in mail.iter_parts()} == {"text/plain", "text/html"}
    assert "https://adapter.example/sites/agency/l/" in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        ("unavailable", "451", TransientError),
        ("sender-refused", "550", DataError),
        ("greylisted", "450", TransientError),
        ("unknown-recipient", "550", DataError),
        ("full-disk", "452", TransientError),
        ("refused", "554", DataError),
        ("login-required", "530", AuthError),
    ],
)
def test_a_refusal_is_classed_by_its_code(context, outbound, fault, code, kind):
    room = MailServer()
    room.fail_next(fault)
    with pytest.raises(kind) as error:
        deliver(context, outbound, room)
    assert type(error.value) is kind
    assert code in str(error.value)
    assert error.value.fix
    assert room.mails == []


def test_a_refusal_does_not_repeat_the_address(context, outbound):
    room = MailServer()
    room.text = "<intake@agency.example> unknown"
    room.fail_next("unknown-recipient")
    with pytest.raises(DataError) as error:
        deliver(context, outbound, room)
    assert "intake@agency" not in f"{error.value} {error.value.detail} {error.value.fix}"


def test_nobody_listening_is_a_matter_of_time(context, outbound):
    async def scene():
        async with MailServer() as room:
            port = room.port
        await Link(settings(port), context).deliver(outbound())

    with pytest.raises(TransientError) as error:
        asyncio.run(scene())
    assert error.value.code == "link.smtp-unreachable"


@pytest.mark.parametrize("fault", ["hang-up", "busy", "nonsense", "cut-off", "lost-answer"])
def test_a_server_that_hangs_up_is_a_matter_of_time(context, outbound, fault):
    room = MailServer()
    room.fail_next(fault)
    with pytest.raises(TransientError):
        deliver(context, outbound, room)
    assert len(room.mails) == (fault == "lost-answer")


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_mail_goes_encrypted_to_a_server_with_a_known_certificate(
    context, outbound, tmp_path, mode
):
    public, tls = certificate(tmp_path)
    room = MailServer(tls=tls, mode=mode)
    deliver(context, outbound, room, smtp_tls=mode, smtp_ca_file=public)
    assert len(room.mails) == 1


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_an_unknown_certificate_stops_the_mail(context, outbound, tmp_path, mode):
    _, tls = certificate(tmp_path)
    room = MailServer(tls=tls, mode=mode)
    with pytest.raises(TransientError):
        deliver(context, outbound, room, smtp_tls=mode)
    assert room.mails == []
    assert "MAIL" not in room.commands


def test_a_server_without_starttls_gets_no_mail(context, outbound):
    room = MailServer()
    with pytest.raises(ConfigError) as error:
        deliver(context, outbound, room, smtp_tls="starttls")
    assert error.value.code == "link.smtp-not-supported"
    assert room.mails == []


@pytest.mark.parametrize(("password", "right"), [("synthetic-password", True), ("wrong", False)])
def test_the_login_is_used(context, outbound, tmp_path, password, right):
    public, tls = certificate(tmp_path)
    room = MailServer(tls=tls, mode="starttls", login=("adapter", "synthetic-password"))
    more = {
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
    room = MailServer()

    async def scene():
        async with room:
            found = await Link(settings(room.port), context).check()
        return found, await Link(settings(room.port), context).check()

    [_, ok], [_, fail] = asyncio.run(scene())
    assert ok.state == "ok"
    assert (fail.state, bool(fail.fix)) == ("fail", True)
    assert room.commands
    assert set(room.commands) == {"EHLO"}


def test_the_whole_way_in_over_real_sockets(context, outbound):
    room = MailServer()

    async def scene():
        async with room:
            link = Link(settings(room.port), context)
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
