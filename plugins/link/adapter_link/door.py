"""The pages behind a link: neutral page, code, referral. The pages themselves are the core's.

Nothing but a POST changes anything, because mail scanners open links. The addresses of one link::

    GET  l/{token}            says nothing, offers one button
    POST l/{token}            sends the code (or, without a second factor, lets in)
    GET  l/{token}/code       asks for the code; POST checks it and starts the session
    GET  l/{token}/referral   the referral; POST does what its form asks
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from adapter.plugin import AdapterError, Context, Page, PluginError, PostedForm, Visit
from adapter.plugin.pages import PageName
from adapter_link.codes import MINUTES, Codes, TooSoon
from adapter_link.config import LinkConfig
from adapter_link.links import Link, Links
from adapter_link.mails import LANGUAGES, Envelope, compose
from adapter_link.sessions import COOKIE, Sessions
from adapter_link.smtp import Post

LARGEST_FORM = 128 * 1024
"""Bytes; the page's own limits on each field are far below."""

_DRAFT_LIFE = timedelta(hours=1)
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_PROBLEMS = {"wrong": "code-wrong", "expired": "code-expired", "spent": "code-spent"}

Form = dict[str, list[str]]


class Door:
    """The ASGI application of one site."""

    def __init__(
        self,
        *,
        settings: LinkConfig,
        context: Context,
        links: Links,
        codes: Codes,
        sessions: Sessions,
        post: Post,
    ) -> None:
        self.settings = settings
        self.context = context
        self.links = links
        self.codes = codes
        self.sessions = sessions
        self.post = post
        self.app = Starlette(
            routes=[
                Route("/l/{token}", self._landing, methods=["GET"]),
                Route("/l/{token}", self._enter, methods=["POST"]),
                Route("/l/{token}/code", self._code, methods=["GET"]),
                Route("/l/{token}/code", self._check, methods=["POST"]),
                Route("/l/{token}/referral", self._referral, methods=["GET"]),
                Route("/l/{token}/referral", self._submit, methods=["POST"]),
            ],
            exception_handlers={AdapterError: self._trouble},
        )

    def path(self, token: str, step: str = "") -> str:
        """The path of a link among the site's endpoints."""
        return f"l/{token}{step}"

    async def _landing(self, request: Request) -> Response:
        link = await self._open(request)
        return link if isinstance(link, Response) else await self._show(request, "landing", link)

    async def _enter(self, request: Request) -> Response:
        link = await self._open(request)
        if isinstance(link, Response):
            return link
        if await self.sessions.valid(request.cookies.get(COOKIE), link.hash):
            return self._go(request, "/referral")
        if self.settings.second_factor == "none":
            return await self._let_in(request, link)
        return await self._send_code(request, link) or self._go(request, "/code")

    async def _code(self, request: Request) -> Response:
        link = await self._open(request)
        return link if isinstance(link, Response) else await self._show(request, "code", link)

    async def _check(self, request: Request) -> Response:
        link = await self._open(request)
        if isinstance(link, Response):
            return link
        form = await _form(request)
        if form is None:
            return _unreadable()
        if form.get("again"):
            failed = await self._send_code(request, link)
            return failed or await self._show(request, "code", link, problem="code-sent")
        verdict = await self.codes.check(link.hash, form.get("code", [""])[0])
        if verdict == "right":
            return await self._let_in(request, link)
        self.context.log.warning("link.code-refused", verdict=verdict, actor=link.actor)
        return await self._show(request, "code", link, problem=_PROBLEMS[verdict])

    async def _referral(self, request: Request) -> Response:
        link = await self._open(request)
        if isinstance(link, Response):
            return link
        if not await self.sessions.valid(request.cookies.get(COOKIE), link.hash):
            return self._go(request, "")
        draft = await self.context.state.get(f"draft|{link.hash}")
        if draft is None:
            return await self._show(request, "referral", link)
        visit = self._visit(request, "referral", link, problem="session-expired")
        answer = await self._act(visit, json.loads(draft))
        # Not before the page has it: whoever dies in between would take an hour of typing along.
        answer.background = BackgroundTask(self.context.state.delete, f"draft|{link.hash}")
        return answer

    async def _submit(self, request: Request) -> Response:
        link = await self._open(request)
        if isinstance(link, Response):
            return link
        form = await _form(request)
        if form is None:
            return _unreadable()
        cookie = request.cookies.get(COOKIE)
        genuine = self.sessions.genuine(cookie, form.get("csrf", [""])[0])
        if not await self.sessions.valid(cookie, link.hash):
            if genuine:
                await self._keep_draft(link, form)
            return self._go(request, "")
        if not genuine:
            return await self._show(request, "referral", link, problem="form-expired")
        return await self._act(self._visit(request, "referral", link), form)

    async def _act(self, visit: Visit, form: Form) -> Response:
        """Do what a form asks; its visitor waits for the page that says what came of it."""
        acted = await self.context.act(PostedForm(visit=visit, form=form))
        if acted.state == "refused":
            self.context.log.info("link.act-refused", code=acted.code, actor=visit.actor)
        if acted.page is None:
            raise PluginError("link.no-page", "the core did a form and gave no page")
        return _response(acted.page)

    async def _open(self, request: Request) -> Link | Response:
        """The link that the address names, if it still works; else the page that says so."""
        link = await self.links.find(request.path_params["token"])
        if link is None:
            return await self._show(request, "not-found", None)
        if not link.open_at(self.context.now()):
            return await self._show(request, "gone", link)
        return link

    async def _send_code(self, request: Request, link: Link) -> Response | None:
        """Send a new code; a page if it could not be sent."""
        code = await self.codes.make(link.hash)
        if isinstance(code, TooSoon):
            self.context.log.warning("link.codes-exhausted", actor=link.actor)
            return await self._show(request, "busy", link, wait=code.seconds)
        recipient = self.settings.code_recipient or link.recipient
        domain = self.settings.sender_address.rpartition("@")[2]
        mail = compose(
            "code",
            self._language(request, link),
            {"reference": link.reference, "code": code, "minutes": str(MINUTES)},
            Envelope(
                sender=self.settings.sender,
                recipient=recipient,
                message_id=f"<{self.context.random(16).hex()}@{domain}>",
                date=self.context.now(),
            ),
        )
        try:
            await self.post.send(mail, recipient)
        except AdapterError as error:
            self.context.log.error("link.code-not-sent", code=error.code)
            return await self._show(request, "landing", link, problem="mail-failed")
        return None

    async def _let_in(self, request: Request, link: Link) -> Response:
        cookie = await self.sessions.start(link.hash)
        answer = self._go(request, "/referral")
        answer.set_cookie(
            COOKIE,
            cookie,
            path=self._base(request),
            secure=urlsplit(self.context.url("")).scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    async def _keep_draft(self, link: Link, form: Form) -> None:
        """Keep what was typed after the session ended, until the code was entered again."""
        kept = {name: values for name, values in form.items() if name != "csrf"}
        await self.context.state.put(
            f"draft|{link.hash}",
            json.dumps(kept).encode(),
            expires=self.context.now() + _DRAFT_LIFE,
        )

    async def _show(
        self,
        request: Request,
        name: PageName,
        link: Link | None,
        *,
        problem: str | None = None,
        wait: int = 0,
    ) -> Response:
        visit = self._visit(request, name, link, problem=problem, wait=wait)
        return _response(await self.context.page(visit))

    async def _trouble(self, request: Request, error: Exception) -> Response:
        """The core could not do it now, for example because its store is full: say so."""
        code = error.code if isinstance(error, AdapterError) else ""
        self.context.log.error("link.page-failed", code=code)
        page = await self.context.page(self._visit(request, "busy", None, wait=60))
        return _response(replace(page, status=503))

    def _visit(
        self,
        request: Request,
        name: PageName,
        link: Link | None,
        *,
        problem: str | None = None,
        wait: int = 0,
    ) -> Visit:
        language = self._language(request, link)
        step = "" if name not in ("code", "referral") else f"/{name}"
        here = self._base(request) + step
        cookie = request.cookies.get(COOKIE)
        inside = name == "referral" and link is not None
        return Visit(
            name=name,
            language=language,
            action=f"{here}?lang={language}",
            languages={each: f"{here}?lang={each}" for each in LANGUAGES},
            fulfilment=link.fulfilment if inside and link else None,
            actor=link.actor if link else "",
            csrf=self.sessions.csrf(cookie) if inside and cookie else "",
            problem=problem,
            reference=link.reference if link else "",
            wait=wait,
        )

    def _language(self, request: Request, link: Link | None) -> str:
        asked = request.query_params.get("lang")
        if asked in LANGUAGES:
            return asked
        return link.language if link else self.context.site.language

    def _base(self, request: Request) -> str:
        """The public path of this link, also behind a proxy."""
        return urlsplit(self.context.url(self.path(request.path_params["token"]))).path

    def _go(self, request: Request, step: str) -> RedirectResponse:
        asked = request.query_params.get("lang")
        query = f"?lang={asked}" if asked in LANGUAGES else ""
        return RedirectResponse(self._base(request) + step + query, 303, headers=_HEADERS)


async def _form(request: Request) -> Form | None:
    """A posted form; None if it is too large or not one of a page's own."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            return None
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=500)
    except ValueError:
        return None


def _unreadable() -> Response:
    return Response("This form cannot be read.", 400, headers=_HEADERS, media_type="text/plain")


def _response(page: Page) -> Response:
    headers: dict[str, Any] = dict(page.headers)
    return Response(page.body, page.status, headers=headers)
