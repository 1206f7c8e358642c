"""What a delivery says, to whom, and what it never says."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import replace

import pytest

from adapter.plugin import ConfigError, DataError, TransientError

LINK = re.compile(r"https://adapter\.example/sites/agency/l/([A-Za-z0-9_-]{43})\b")


def deliver(link, *messages):
    async def all_of_them():
        return [await link.deliver(each) for each in messages]

    return asyncio.run(all_of_them())


def test_a_request_is_mailed_with_reference_reply_date_and_link(link, postbox, outbound):
    [delivered] = deliver(link, outbound())
    message, recipient = postbox.mails[0]
    assert recipient == message["To"] == "intake@agency.example"
    assert message["Subject"] == (
        "A referral is waiting for you (rx-7f3a2c), reply by November 29, 2026"
    )
    assert message["Message-ID"] == delivered.external_ids["message-id"]
    assert message["Message-ID"] == "<00000000-0000-7000-8000-000000000001@clinic.example>"
    assert LINK.search(postbox.text())
    assert "Thursday Garden Club" in postbox.text()
    assert "December 6, 2026" in postbox.text()


def test_text_and_html_say_the_same_link(link, postbox, outbound):
    deliver(link, outbound())
    html = postbox.mails[0][0].get_body(("html",)).get_content()
    assert set(LINK.findall(html)) == set(LINK.findall(postbox.text()))
    assert '<html lang="en">' in html


def test_a_french_agency_is_written_to_in_french(link, postbox, outbound):
    deliver(link, outbound(notice={"language": "fr"}))
    message = postbox.mails[0][0]
    assert message["Subject"] == (
        "Une orientation vous attend (rx-7f3a2c), réponse d’ici le 29 novembre 2026"
    )
    assert message["Content-Language"] == "fr"
    assert "Voir l’orientation" in message.get_body(("html",)).get_content()


def test_the_settings_language_wins_over_the_directory(link_with, postbox, outbound):
    deliver(link_with(language="fr"), outbound(notice={"language": "en"}))
    assert postbox.mails[0][0]["Content-Language"] == "fr"


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("event", ["request", "modify", "note", "status-request", "cancel"])
def test_every_event_can_be_said_with_nothing_but_a_reference(
    link, postbox, outbound, event, language
):
    bare = {"program": None, "reply_by": None, "language": language}
    deliver(link, outbound(event, notice=bare))
    message = postbox.mails[0][0]
    assert "rx-7f3a2c" in message["Subject"]
    assert "{" not in postbox.text()
    assert "None" not in postbox.text()


def test_an_attempt_again_carries_the_same_link_and_message_id(link, postbox, outbound):
    deliver(link, outbound(), outbound(attempt=2))
    (first, _), (second, _) = postbox.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert LINK.search(postbox.text(0)).group() == LINK.search(postbox.text(1)).group()


def test_only_the_hash_of_the_token_is_kept(link, postbox, outbound, context):
    deliver(link, outbound())
    token = LINK.search(postbox.text()).group(1)
    everything = repr(context.state.kept)
    assert token not in everything
    assert hashlib.sha256(token.encode()).hexdigest() in everything


def test_nothing_secret_is_logged(link, postbox, outbound, context):
    deliver(link, outbound())
    token = LINK.search(postbox.text()).group(1)
    logged = repr(context.log.lines)
    assert token not in logged
    assert "intake@agency.example" not in logged
    assert "rx-7f3a2c" in logged


def test_a_change_is_mailed_with_the_same_link(link, postbox, outbound):
    deliver(link, outbound(), outbound("modify", 2), outbound("note", 3))
    tokens = {LINK.search(postbox.text(n)).group(1) for n in range(3)}
    assert len(tokens) == 1
    assert len({mail["Message-ID"] for mail, _ in postbox.mails}) == 3


def test_a_new_request_ends_the_link_before_it(link, postbox, outbound):
    deliver(link, outbound(), outbound("request", 2))
    first, second = (LINK.search(postbox.text(n)).group(1) for n in range(2))
    assert first != second
    assert asyncio.run(link.links.find(first)).state == "revoked"
    assert asyncio.run(link.links.find(second)).state == "open"


def test_a_cancellation_ends_the_link_and_mails_none(link, postbox, outbound):
    deliver(link, outbound(), outbound("cancel", 2))
    token = LINK.search(postbox.text(0)).group(1)
    assert not LINK.search(postbox.text(1))
    assert "cancelled" in postbox.mails[1][0]["Subject"]
    assert asyncio.run(link.links.find(token)).state == "revoked"


def test_a_late_attempt_does_not_open_a_cancelled_link_again(link, postbox, outbound):
    deliver(link, outbound(), outbound("cancel", 2), outbound(attempt=2))
    token = LINK.search(postbox.text(0)).group(1)
    assert asyncio.run(link.links.find(token)).state == "revoked"


def test_a_change_after_the_link_ran_out_carries_a_new_one(link, postbox, outbound, context):
    deliver(link, outbound())
    context.later(days=15)
    deliver(link, outbound("modify", 2, created=context.now()))
    first, second = (LINK.search(postbox.text(n)).group(1) for n in range(2))
    assert first != second
    assert asyncio.run(link.links.find(second)).open_at(context.now())


def test_the_directory_says_where_before_the_settings_do(link, postbox, outbound):
    deliver(link, outbound(notice={"recipient_email": "garden@club.example"}))
    assert postbox.mails[0][1] == "garden@club.example"


def test_urgent_and_test_are_said_in_the_subject(link, postbox, outbound):
    deliver(link, outbound(test=True, notice={"urgent": True}))
    assert postbox.mails[0][0]["Subject"].startswith("[Test] Urgent: ")


def test_nobody_to_tell_is_an_error_of_the_configuration(link_with, outbound):
    with pytest.raises(ConfigError) as error:
        deliver(link_with(recipient=None), outbound())
    assert error.value.code == "link.no-recipient"


@pytest.mark.parametrize("address", ["a@b@c", "x\r\nBcc: y@z.example", "nobody", "a b@c.example"])
def test_an_address_that_could_break_a_header_is_refused(link, postbox, outbound, address):
    with pytest.raises(DataError) as error:
        deliver(link, outbound(notice={"recipient_email": address}))
    assert error.value.code == "link.recipient-invalid"
    assert address not in str(error.value)
    assert postbox.mails == []


def test_a_delivery_without_a_notice_is_refused(link, outbound):
    with pytest.raises(DataError):
        deliver(link, outbound(notice={}).__class__(
            id="1", event="request", referral="r", created=outbound().created
        ))  # fmt: skip


def test_the_error_of_the_mail_server_reaches_the_core(link, postbox, outbound):
    postbox.fault = TransientError("link.smtp-later", "later")
    with pytest.raises(TransientError):
        deliver(link, outbound())


def test_a_program_name_cannot_smuggle_markup_into_the_mail(link, postbox, outbound):
    deliver(link, outbound(notice={"program": "<img src=x> & co"}))
    html = postbox.mails[0][0].get_body(("html",)).get_content()
    assert "<img" not in html
    assert "&lt;img src=x&gt; &amp; co" in html


@pytest.mark.parametrize(
    ("base", "test", "fits"),
    [
        ("https://adapter.example/sites/agency/", False, True),
        ("http://127.0.0.1:8080/sites/agency/", False, True),
        ("http://localhost/sites/agency/", False, True),
        ("http://adapter.example/sites/agency/", True, True),
        ("http://adapter.example/sites/agency/", False, False),
        ("http://10.0.0.5/sites/agency/", False, False),
    ],
)
def test_a_link_over_plain_http_is_mailed_in_tests_alone(
    link, postbox, outbound, context, base, test, fits
):
    context.base = base
    context.site = replace(context.site, test=test)
    if fits:
        deliver(link, outbound())
        assert len(postbox.mails) == 1
    else:
        with pytest.raises(ConfigError) as error:
            deliver(link, outbound())
        assert error.value.code == "link.plain-http"
        assert postbox.mails == []
    assert link._check_address().state == ("ok" if fits else "fail")
