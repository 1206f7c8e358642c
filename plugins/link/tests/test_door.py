"""The way in: a neutral page, a code, a session; and everything that must not open the door."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

import httpx
import pytest

from adapter.plugin import TransientError

BASE = "https://adapter.example"


class Visitor:
    """A browser without JavaScript, at the ASGI application."""

    def __init__(self, link, context, postbox, outbound):
        self.link, self.context, self.postbox, self.outbound = link, context, postbox, outbound
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=link.door.app, root_path="/sites/agency"),
            base_url=BASE,
        )

    async def invited(self, **changes):
        await self.link.deliver(self.outbound(**changes))
        return urlsplit(re.search(r"https?://\S+", self.postbox.text()).group()).path

    def code(self):
        return re.search(r"^\d{6}$", self.postbox.text(), re.MULTILINE).group()

    async def inside(self):
        path = await self.invited()
        await self.client.post(path)
        await self.client.post(path + "/code", data={"code": self.code()})
        return path

    def csrf(self):
        return next(visit.csrf for visit in reversed(self.context.visits) if visit.csrf)


@pytest.fixture
def run(link, context, postbox, outbound):
    """Run a scene with a visitor of a site with the default settings."""

    def start(scene, using=link):
        return asyncio.run(scene(Visitor(using, context, postbox, outbound)))

    return start


def visits(context):
    return [visit.name for visit in context.visits]


def test_opening_a_link_shows_the_neutral_page_and_changes_nothing(run, context, postbox):
    async def scene(visitor):
        path = await visitor.invited()
        before = dict(context.state.kept)
        for method in ("GET", "HEAD", "GET"):
            answer = await visitor.client.request(method, path)
            assert answer.status_code == 200
        assert context.state.kept == before
        assert "set-cookie" not in answer.headers

    run(scene)
    assert visits(context) == ["landing"] * 3
    assert context.visits[0].fulfilment is None
    assert len(postbox.mails) == 1


def test_the_button_sends_a_code_and_the_code_opens_the_referral(run, context, postbox):
    async def scene(visitor):
        path = await visitor.invited()
        answer = await visitor.client.post(path)
        assert (answer.status_code, answer.headers["location"]) == (303, path + "/code")
        answer = await visitor.client.get(path + "/code")
        assert answer.text == "page code"
        typed = f" {visitor.code()[:3]} {visitor.code()[3:]} "
        answer = await visitor.client.post(path + "/code", data={"code": typed})
        assert (answer.status_code, answer.headers["location"]) == (303, path + "/referral")
        answer = await visitor.client.get(path + "/referral")
        assert answer.text == "page referral"

    run(scene)
    visit = context.visits[-1]
    assert visit.fulfilment == "work-1"
    assert visit.actor.startswith("link:")
    assert len(visit.csrf) == 64
    assert postbox.mails[1][0]["Subject"] == "Your code for the referral rx-7f3a2c"


def test_the_cookie_is_strict_http_only_secure_and_of_this_path_alone(run):
    async def scene(visitor):
        path = await visitor.invited()
        await visitor.client.post(path)
        answer = await visitor.client.post(path + "/code", data={"code": visitor.code()})
        cookie = answer.headers["set-cookie"].lower()
        assert f"path={path};".lower() in cookie + ";"
        assert "httponly" in cookie
        assert "secure" in cookie
        assert "samesite=strict" in cookie
        assert "max-age" not in cookie

    run(scene)


def test_on_plain_http_the_cookie_is_not_marked_secure(run, context):
    context.base = "http://127.0.0.1:8080/sites/agency/"

    async def scene(visitor):
        path = await visitor.invited()
        await visitor.client.post(path)
        answer = await visitor.client.post(path + "/code", data={"code": visitor.code()})
        assert "secure" not in answer.headers["set-cookie"].lower()

    run(scene)


def test_without_a_session_the_referral_is_not_shown(run, context):
    async def scene(visitor):
        path = await visitor.invited()
        answer = await visitor.client.get(path + "/referral")
        assert (answer.status_code, answer.headers["location"]) == (303, path)
        answer = await visitor.client.post(path + "/referral", data={"do": "accept"})
        assert (answer.status_code, answer.headers["location"]) == (303, path)

    run(scene)
    assert context.forms == []
    assert "referral" not in visits(context)


def test_a_wrong_code_does_not_open_and_five_end_the_code(run, context):
    async def scene(visitor):
        path = await visitor.invited()
        await visitor.client.post(path)
        right = visitor.code()
        wrong = "000000" if right != "000000" else "000001"
        for _ in range(5):
            answer = await visitor.client.post(path + "/code", data={"code": wrong})
            assert answer.status_code == 200
        await visitor.client.post(path + "/code", data={"code": right})

    run(scene)
    assert [v.problem for v in context.visits] == ["code-wrong"] * 5 + ["code-spent"]


def test_a_code_is_too_old_after_ten_minutes(run, context):
    async def scene(visitor):
        path = await visitor.invited()
        await visitor.client.post(path)
        context.later(minutes=10)
        await visitor.client.post(path + "/code", data={"code": visitor.code()})

    run(scene)
    assert context.visits[-1].problem == "code-expired"


def test_a_code_works_once(run, context):
    async def scene(visitor):
        path = await visitor.invited()
        await visitor.client.post(path)
        code = visitor.code()
        await visitor.client.post(path + "/code", data={"code": code})
        visitor.client.cookies.clear()
        await visitor.client.post(path + "/code", data={"code": code})

    run(scene)
    assert context.visits[-1].problem == "code-expired"


def test_a_new_code_replaces_the_one_before(run, context):
    async def scene(visitor):
        path = await visitor.invited()
        await visitor.client.post(path)
        first = visitor.code()
        answer = await visitor.client.post(path + "/code", data={"again": "1"})
        assert answer.status_code == 200
        assert context.visits[-1].problem == "code-sent"
        assert visitor.code() != first
        await visitor.client.post(path + "/code", data={"code": first})
        assert context.visits[-1].problem == "code-wrong"
        answer = await visitor.client.post(path + "/code", data={"code": visitor.code()})
        assert answer.status_code == 303

    run(scene)


def test_the_code_itself_is_not_kept(run, context):
    async def scene(visitor):
        path = await visitor.invited()
        await visitor.client.post(path)
        assert visitor.code() not in repr(context.state.kept)

    run(scene)


def test_codes_are_sent_three_times_a_quarter_hour(run, context, postbox):
    async def scene(visitor):
        path = await visitor.invited()
        for _ in range(3):
            assert (await visitor.client.post(path)).status_code == 303
        assert (await visitor.client.post(path)).status_code == 429
        context.later(minutes=15)
        assert (await visitor.client.post(path)).status_code == 303

    run(scene)
    assert len(postbox.mails) == 1 + 4
    assert [v.wait for v in context.visits if v.name == "busy"] == [900]


def test_codes_are_sent_ten_times_a_day_however_patient_the_asker(run, context, postbox):
    async def scene(visitor):
        path = await visitor.invited()
        for _ in range(20):
            await visitor.client.post(path)
            context.later(minutes=16)

    run(scene)
    assert len(postbox.mails) == 1 + 10


def test_parallel_guesses_get_no_more_than_five_tries(run, context):
    async def scene(visitor):
        path = await visitor.invited()
        await visitor.client.post(path)
        wrong = "000000" if visitor.code() != "000000" else "000001"
        await asyncio.gather(
            *(visitor.client.post(path + "/code", data={"code": wrong}) for _ in range(20))
        )

    run(scene)
    assert [v.problem for v in context.visits].count("code-wrong") == 5


def test_the_code_goes_to_its_own_address_if_there_is_one(link_with, run, postbox):
    async def scene(visitor):
        await visitor.client.post(await visitor.invited())

    run(scene, using=link_with(code_recipient="director@agency.example"))
    assert [recipient for _, recipient in postbox.mails] == [
        "intake@agency.example",
        "director@agency.example",
    ]


def test_a_code_that_cannot_be_sent_is_said(run, context, postbox):
    async def scene(visitor):
        path = await visitor.invited()
        postbox.fault = TransientError("link.smtp-unreachable", "down")
        await visitor.client.post(path)

    run(scene)
    assert (context.visits[-1].name, context.visits[-1].problem) == ("landing", "mail-failed")


def test_without_a_second_factor_the_button_lets_in(link_with, run, postbox):
    async def scene(visitor):
        path = await visitor.invited()
        answer = await visitor.client.post(path)
        assert answer.headers["location"] == path + "/referral"
        assert (await visitor.client.get(path + "/referral")).text == "page referral"

    run(scene, using=link_with(second_factor="none"))
    assert len(postbox.mails) == 1


def test_a_form_reaches_the_core_with_its_values(run, context):
    async def scene(visitor):
        path = await visitor.inside()
        await visitor.client.get(path + "/referral")
        form = {"csrf": visitor.csrf(), "do": "decline", "words": "é & ü", "q.a": ["1", "2"]}
        answer = await visitor.client.post(path + "/referral?lang=fr", data=form)
        assert answer.status_code == 303
        assert answer.headers["location"] == path + "/referral?lang=fr"

    run(scene)
    assert context.forms[0]["words"] == ["é & ü"]
    assert context.forms[0]["q.a"] == ["1", "2"]
    assert context.visits[-1].language == "fr"


@pytest.mark.parametrize("csrf", ["", "0" * 64, "\u00e9"])
def test_a_forged_form_does_nothing(run, context, csrf):
    async def scene(visitor):
        path = await visitor.inside()
        await visitor.client.post(path + "/referral", data={"csrf": csrf, "do": "accept"})

    run(scene)
    assert context.forms == []
    assert context.visits[-1].problem == "form-expired"


def test_the_session_of_one_link_does_not_open_another(run, context, outbound):
    async def scene(visitor):
        first = await visitor.inside()
        cookie = visitor.client.cookies.get("visit")
        other = await visitor.invited(number=2, notice={"fulfilment": "work-2"})
        assert other != first
        answer = await visitor.client.get(
            other + "/referral", headers={"cookie": f"visit={cookie}"}
        )
        assert answer.status_code == 303

    run(scene)
    assert "referral" not in visits(context)


def test_a_session_ends_without_use_and_lives_with_it(run, context):
    async def scene(visitor):
        path = await visitor.inside()
        for _ in range(4):
            context.later(minutes=100)
            assert (await visitor.client.get(path + "/referral")).status_code == 200
        context.later(minutes=121)
        assert (await visitor.client.get(path + "/referral")).status_code == 303

    run(scene)


def test_what_was_typed_survives_the_end_of_the_session(run, context):
    async def scene(visitor):
        path = await visitor.inside()
        await visitor.client.get(path + "/referral")
        csrf = visitor.csrf()
        context.later(hours=3)
        form = {"csrf": csrf, "do": "decline", "words": "typed for an hour"}
        answer = await visitor.client.post(path + "/referral", data=form)
        assert answer.headers["location"] == path
        await visitor.client.post(path)
        await visitor.client.post(path + "/code", data={"code": visitor.code()})
        await visitor.client.get(path + "/referral")
        assert context.forms == [{"do": ["decline"], "words": ["typed for an hour"]}]
        assert context.visits[-1].problem == "session-expired"
        await visitor.client.get(path + "/referral")
        assert len(context.forms) == 1

    run(scene)


def test_what_was_typed_survives_a_core_that_cannot_show_it(run, context, monkeypatch):
    async def scene(visitor):
        path = await visitor.inside()
        await visitor.client.get(path + "/referral")
        csrf = visitor.csrf()
        context.later(hours=3)
        form = {"csrf": csrf, "do": "decline", "words": "typed for an hour"}
        await visitor.client.post(path + "/referral", data=form)
        await visitor.client.post(path)
        await visitor.client.post(path + "/code", data={"code": visitor.code()})

        async def full(_):
            raise TransientError("store.full", "the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(context, "act", full)
            assert (await visitor.client.get(path + "/referral")).status_code == 503
        await visitor.client.get(path + "/referral")
        assert context.forms == [{"do": ["decline"], "words": ["typed for an hour"]}]

    run(scene)


def test_a_draft_of_somebody_without_a_session_is_not_kept(run, context):
    async def scene(visitor):
        path = await visitor.invited()
        await visitor.client.post(
            path + "/referral", data={"csrf": "0" * 64, "do": "decline", "words": "planted"}
        )

    run(scene)
    assert not [key for key in context.state.kept if key.startswith("draft")]


def test_a_cancelled_link_is_gone_also_for_those_who_are_inside(run, context, outbound):
    async def scene(visitor):
        path = await visitor.inside()
        await visitor.client.get(path + "/referral")
        csrf = visitor.csrf()
        await visitor.link.deliver(outbound("cancel", 2))
        for step in ("", "/code", "/referral"):
            assert (await visitor.client.get(path + step)).status_code == 410
            data = {"csrf": csrf, "do": "accept", "code": "1"}
            assert (await visitor.client.post(path + step, data=data)).status_code == 410

    run(scene)
    assert context.forms == []


def test_a_link_runs_out_after_its_days(link_with, run, context):
    async def scene(visitor):
        path = await visitor.invited()
        context.later(days=2, seconds=-1)
        assert (await visitor.client.get(path)).status_code == 200
        context.later(seconds=1)
        assert (await visitor.client.get(path)).status_code == 410

    run(scene, using=link_with(link_days=2))


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 5000, "%00" * 14, "..%2f" * 9])
def test_an_unknown_token_is_not_found(run, context, token):
    async def scene(visitor):
        answer = await visitor.client.get(f"/sites/agency/l/{token}")
        assert answer.status_code == 404

    run(scene)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 200_000),
        ("application/x-www-form-urlencoded", b"\xff\xfe"),
        ("application/x-www-form-urlencoded", b"a=1&" * 600),
    ],
)
def test_a_body_that_is_no_form_of_ours_is_refused(run, context, kind, body):
    async def scene(visitor):
        path = await visitor.inside()
        answer = await visitor.client.post(
            path + "/referral", content=body, headers={"content-type": kind}
        )
        assert answer.status_code == 400

    run(scene)
    assert context.forms == []


def test_the_language_follows_the_mail_and_then_the_reader(run, context):
    async def scene(visitor):
        path = await visitor.invited(notice={"language": "fr"})
        await visitor.client.get(path)
        await visitor.client.get(path + "?lang=en")
        await visitor.client.get(path + "?lang=xx")

    run(scene)
    assert [visit.language for visit in context.visits] == ["fr", "en", "fr"]
    assert set(context.visits[0].languages) == {"en", "fr"}


def test_neither_token_nor_code_nor_cookie_is_logged(run, context):
    async def scene(visitor):
        path = await visitor.inside()
        await visitor.client.post(path + "/code", data={"code": "12"})
        logged = repr(context.log.lines)
        assert path.rpartition("/")[2] not in logged
        assert visitor.client.cookies.get("visit") not in logged

    run(scene)
    assert context.log.lines


@pytest.mark.parametrize("broken", ["get", "put", "add"])
def test_a_store_that_fails_is_said_and_tried_again_later(run, context, monkeypatch, broken):
    async def fail(*_, **__):
        raise TransientError("store.full", "no room")

    async def scene(visitor):
        path = await visitor.invited()
        monkeypatch.setattr(context.state, broken, fail)
        answer = await visitor.client.post(path)
        assert answer.status_code == 503

    run(scene)
    assert context.visits[-1].name == "busy"
    assert ("link.page-failed", {"code": "store.full"}) in context.log.lines
