"""Where the server comes in: notifications of its subscriptions, and referrals that it pushes.

One address takes all: an empty POST (something changed), a status Bundle (what changed), a Task, or
a Bundle with a referral. What it says is durable before it is answered. A notification is only a
hint: what changed is read from the server itself.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from adapter.plugin import (
    AdapterError,
    Context,
    DataError,
    Inbound,
    Refusal,
)
from adapter_fhir.answers import MEDIA_TYPE
from adapter_fhir.config import FhirConfig
from adapter_fhir.inward import Inward
from adapter_fhir.notifications import notification_of
from adapter_fhir.pushed import key_of, kind_of_event, ours
from adapter_fhir.reader import FORMAT, is_test
from adapter_fhir.references import LITERAL
from adapter_fhir.subscriptions import Subscriptions

Json = dict[str, Any]
MAX_BYTES = 4 * 1024 * 1024
_SIGNATURE = "x-signature"


class Door:
    """The HTTP endpoint of one site."""

    def __init__(
        self,
        context: Context,
        config: FhirConfig,
        *,
        subscriptions: Subscriptions,
        task: Callable[[Json], Awaitable[list[Inbound]]],
    ) -> None:
        self._context = context
        self._config = config
        self._subscriptions = subscriptions
        self._task = task
        self._inward = Inward(context.site.name, config.base_url)
        methods = ["POST", "PUT"]
        self.app = Starlette(
            routes=[
                Route("/", self._take, methods=methods),
                Route("/notify", self._take, methods=methods),
                Route("/notify/{type}/{id}", self._take, methods=methods),
            ]
        )

    async def _take(self, request: Request) -> Response:
        """Take one request. 2xx means that everything that it says is durable."""
        try:
            raw = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if raw is None:
            return _said(413, "too-costly", "the body is too large")
        if not self._let_in(request, raw):
            return _said(401, "login", "the token is missing or not right")
        try:
            return await self._kept(raw, request)
        except DataError as error:
            return await self._refused(raw, error)
        except AdapterError as error:
            self._context.log.warning("door.not-taken", code=error.code)
            return _said(503, "transient", "it could not be taken now; send it again later")

    def _let_in(self, request: Request, raw: bytes) -> bool:
        """By the bearer token of the subscription or of the settings, or by a signature.

        A test site without a token takes what anyone brings.
        """
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        pushing = self._config.push_token.get_secret_value() if self._config.push_token else ""
        known = [self._subscriptions.token, *([pushing] if pushing else [])]
        if any(hmac.compare_digest(given.encode(), each.encode()) for each in known):
            return True
        signed = request.headers.get(_SIGNATURE, "")
        right = hmac.new(self._subscriptions.token.encode(), raw, hashlib.sha256).hexdigest()
        if signed and hmac.compare_digest(signed.encode(), right.encode()):
            return True
        return self._context.site.test and not pushing

    async def _kept(self, raw: bytes, request: Request) -> Response:
        place = "/".join(request.path_params.get(name, "") for name in ("type", "id")).strip("/")
        if LITERAL.fullmatch(place):  # HAPI FHIR: PUT endpoint/Task/id
            await self._subscriptions.changed([place])
            return _said(200, "informational", "taken")
        if not raw.strip():
            await self._subscriptions.resync()
            return _said(200, "informational", "taken")
        body = _resource(raw)
        if body["resourceType"] == "Bundle":
            notification = notification_of(body, self._config.base_url)
            if notification is not None:
                await self._subscriptions.notified(notification)
                return _said(200, "informational", "taken")
            return await self._bundle(body, raw)
        if body["resourceType"] == "Task":
            return await self._pushed_task(body)
        changed = f"{body['resourceType']}/{body.get('id', '')}"
        if LITERAL.fullmatch(changed):
            await self._subscriptions.changed([changed])
            return _said(200, "informational", "taken")
        raise _unreadable("it is no Task, no Bundle and no notification")

    async def _bundle(self, bundle: Json, raw: bytes) -> Response:
        """A referral in a Bundle."""
        message = Inbound(
            raw=ours(bundle, raw, self._inward, self._config.base_url),
            format=FORMAT,
            kind="Bundle",
            key=key_of(bundle, raw),
            answer=_outcome("informational", f"taken: {kind_of_event(bundle)}"),
            test=any(
                is_test(each["resource"])
                for each in bundle["entry"]
                if isinstance(each, dict) and isinstance(each.get("resource"), dict)
            ),
        )
        receipt = await self._context.receive(message)
        if receipt.state == "conflict":
            return _said(409, "conflict", "this identifier came before with other content")
        return Response(receipt.answer, 202, media_type=MEDIA_TYPE)

    async def _pushed_task(self, task: Json) -> Response:
        """A Task alone: one of the server's own, that changed; or one whose request is there."""
        messages = await self._task(task)
        for message in messages:
            await self._context.receive(message)
        return _said(200 if task.get("id") else 201, "informational", "taken")

    async def _refused(self, raw: bytes, error: DataError) -> Response:
        refusal = Refusal(
            raw=raw, format=FORMAT, code=error.code, message=error.message, fix=error.fix
        )
        try:
            await self._context.refuse(refusal)
        except AdapterError:
            self._context.log.warning("message.refusal-not-journaled")
        return _said(422, "invalid", error.message)


async def _body(request: Request) -> bytes | None:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _resource(raw: bytes) -> Json:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _unreadable("it is no JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("resourceType"), str):
        raise _unreadable("it is no FHIR resource")
    return found


def _unreadable(why: str) -> DataError:
    return DataError(
        "fhir.unreadable",
        f"what came cannot be used: {why}",
        fix="Send a FHIR R4 Bundle with ServiceRequest and Task, as JSON.",
    )


def _said(status: int, code: str, words: str) -> Response:
    return Response(_outcome(code, words), status, media_type=MEDIA_TYPE)


def _outcome(code: str, words: str) -> bytes:
    severity = "information" if code == "informational" else "error"
    issue = {"severity": severity, "code": code, "diagnostics": words}
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
