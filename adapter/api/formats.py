"""JSON or XML: which a client wants (FHIR R4 3.1.0.1.11; RFC 9110 12.5.1), and answers in XML.

Handlers work in JSON alone. What they answer is written anew as XML for who asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapter.api.response import MEDIA_TYPE
from adapter.fhir.safe_json import loads
from adapter.fhir.xml_writer import write_xml

Format = Literal["json", "xml"]
FHIR_JSON = (MEDIA_TYPE, "application/json", "text/json", "application/json+fhir")
FHIR_XML = ("application/fhir+xml", "application/xml", "text/xml", "application/xml+fhir")
_NAMED: Mapping[str, Format] = {
    **dict.fromkeys((*FHIR_JSON, "json", "application/json-patch+json"), "json"),
    **dict.fromkeys((*FHIR_XML, "xml"), "xml"),
}
_ANY = ("*/*", "application/*", "*")
_VERSIONS = ("4.0", "4.0.1")


def wanted(query: QueryParams, headers: Headers) -> Format | None:
    """The format of an answer, or None where nothing that is spoken here is wanted.

    `_format` goes before Accept. What is wanted as much as JSON is answered in JSON.
    """
    return _chosen(query.get("_format") or headers.get("accept") or "*/*")


@lru_cache(maxsize=256)
def _chosen(said_to_want: str) -> Format | None:
    best: dict[Format, float] = {}
    for part in said_to_want.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        said = dict(each.partition("=")[::2] for each in parameters)
        weight = _weight(said.get("q", "1"))
        if weight <= 0 or said.get("fhirversion", "4.0").strip('"') not in _VERSIONS:
            continue
        # a plus sign that was not escaped in an address arrives as a blank
        named = _NAMED.get(name.replace(" ", "+"))
        if named is None and name not in _ANY:
            continue
        best[named or "json"] = max(weight, best.get(named or "json", 0))
    if not best:
        return None
    return "xml" if best.get("xml", 0) > best.get("json", 0) else "json"


def _weight(text: str) -> float:
    try:
        return min(float(text), 1.0)
    except ValueError:
        return 0.0


class InXml:
    """Writes the FHIR answers of an application as XML for who wants it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on; hold the answer back until it is whole, if it is to be written anew."""
        if scope["type"] != "http" or not self._asks(scope):
            await self._app(scope, receive, send)
            return
        start: Message = {}
        parts: list[bytes] = []

        async def held(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body, headers = b"".join(parts), MutableHeaders(raw=list(start["headers"]))
            if body and headers.get("content-type", "").startswith(MEDIA_TYPE):
                body = await run_in_threadpool(lambda: write_xml(loads(body)))
                headers["content-type"] = f"{FHIR_XML[0]}; charset=utf-8"
                headers["content-length"] = str(len(body))
            await send({**start, "headers": headers.raw})
            await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, held)

    def _asks(self, scope: Scope) -> bool:
        asked = scope.get("query_string", b"")
        query = QueryParams(asked if b"_format" in asked else b"")
        return wanted(query, Headers(scope=scope)) == "xml"
