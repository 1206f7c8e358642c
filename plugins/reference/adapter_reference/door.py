"""Where the peer comes in.

POST /messages: one JSON object, acknowledged once it is durable; what it means is found out later.
POST /moves: a move whose result the peer waits for; it is done, or refused and why, when answered.
"""

from __future__ import annotations

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from adapter.plugin import Context, DataError, Inbound, Move, Refusal, TransientError
from adapter_reference.format import ReferenceFormat


class Door:
    """The HTTP endpoint of one site, for messages of one format."""

    def __init__(self, context: Context, max_bytes: int, format: ReferenceFormat) -> None:
        self._context = context
        self._format = format
        self._max_bytes = max_bytes
        self.app = Starlette(
            routes=[
                Route("/messages", self._take, methods=["POST"]),
                Route("/moves", self._move, methods=["POST"]),
            ]
        )

    async def _take(self, request: Request) -> Response:
        """Take one message. 202 means that it is durable; anything else, that it is not."""
        try:
            raw = await self._body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            return await self._keep(raw)
        except DataError as error:
            return await self._refuse(raw, error)
        except TransientError:
            self._context.log.warning("message.not-stored")
            return _said(503, "refused", "it could not be stored now; send it again later")

    async def _move(self, request: Request) -> Response:
        """Make one move, and say at once what came of it: 200, 409 and why, 404, or 503."""
        try:
            wanted = move_of(await self._body(request))
        except ClientDisconnect:
            return Response(status_code=400)
        except DataError as error:
            return _said(400, "refused", error.message)
        try:
            acted = await self._context.act(wanted)
        except TransientError:
            self._context.log.warning("move.not-made")
            return _said(503, "refused", "it could not be done now; send it again later")
        return _said(acted.status, acted.state, acted.message)

    async def _body(self, request: Request) -> bytes:
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self._max_bytes:
                break
            parts.append(part)
        return b"".join(parts) if size <= self._max_bytes else b""

    async def _keep(self, raw: bytes) -> Response:
        tree = self._format.parse(raw)
        answer = orjson.dumps({"state": "accepted", "id": tree["id"]})
        receipt = await self._context.receive(
            Inbound(
                raw=raw,
                format=self._format.name,
                kind=self._format.kind(tree),
                key=tree["id"],
                answer=answer,
                test=tree.get("test") is True,
            )
        )
        if receipt.state == "conflict":
            return _said(409, "conflict", "this id came before with other content")
        return Response(receipt.answer, 202, media_type="application/json")

    async def _refuse(self, raw: bytes, error: DataError) -> Response:
        refusal = Refusal(
            raw=raw, format=self._format.name, code=error.code, message=error.message, fix=error.fix
        )
        try:
            await self._context.refuse(refusal)
        except TransientError:
            self._context.log.warning("message.refusal-not-journaled")
        return _said(400, "refused", error.message)


def move_of(raw: bytes) -> Move:
    """A move as the peer sends it: ``{"id", "work", "to", "because", "because_text", "note"}``.

    Raises:
        DataError: it is no JSON object, or has no id, no work, or another type somewhere.
    """
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = None
    names = ("id", "work", "to", "because", "because_text", "note")
    if not isinstance(found, dict) or not all(isinstance(found.get(n, ""), str) for n in names):
        raise DataError("reference.move", "this is no move: a JSON object of texts")
    if not found.get("id") or not found.get("work"):
        raise DataError("reference.move", "a move has its own id, and the work that it is about")
    return Move(
        fulfilment=found["work"],
        key=found["id"],
        to=found.get("to"),
        reason=found.get("because"),
        reason_text=found.get("because_text", ""),
        note=found.get("note", ""),
    )


def _said(status: int, state: str, why: str) -> Response:
    body = orjson.dumps({"state": state, "why": why})
    return Response(body, status, media_type="application/json")
