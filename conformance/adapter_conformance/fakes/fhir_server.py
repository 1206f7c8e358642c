"""A fake FHIR R4 server: in memory, with the ways of a vendor and faults by name.

::

    server = FhirServer("hapi")                    # see personalities/
    server.put({"resourceType": "Patient", ...})   # as its own staff would
    server.fail_next("rate-limited", "unavailable")

`handle` answers in process and at once; `app` is the same over HTTP. What it was asked is in
`requests`. `written` is called after each write, for example by `fhir_notices.Notices`.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapter_conformance.fakes import fhir_rules as rules
from adapter_conformance.fakes.fhir_asking import Answer, Asking, Json, Refusal
from adapter_conformance.fakes.fhir_bundle import process
from adapter_conformance.fakes.fhir_metadata import capability_statement
from adapter_conformance.fakes.fhir_pages import Pages
from adapter_conformance.fakes.fhir_personality import Personality, personality
from adapter_conformance.fakes.fhir_store import FhirStore, Version
from adapter_conformance.fakes.rest_host import ANSWERS, Asked, Guard, RestHost
from adapter_conformance.fakes.rest_host import FAULTS as HTTP_FAULTS

FHIR = "application/fhir+json"
LATE = "lost-answer"
"""The fault that does the work and loses the answer."""
FAULTS = {LATE: "it does the work, and answers 504", **HTTP_FAULTS}
"""What it does wrong, by name."""


class FhirServer:
    """The server.

    Attributes:
        address: scheme, host and port, for links and locations.
        guard: who lets requests in; None lets in everybody.
        now: its clock.
        requests: everything that it was asked over HTTP.
        written: called with each resource that was written.
        after: awaited after each request over HTTP, before it is answered.
    """

    def __init__(
        self,
        ways: str | Personality = "strict",
        *,
        address: str = "http://127.0.0.1:8097",
        guard: Guard | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.ways = personality(ways) if isinstance(ways, str) else ways
        self.address = address
        self.guard = guard
        self.now = now
        self.store = FhirStore()
        self.requests: list[Asked] = []
        self.written: list[Callable[[Json], None]] = []
        self.after: list[Callable[[], Awaitable[None]]] = []
        self.pages = Pages(self)
        self._faults: list[str] = []
        self._ids = itertools.count(1)

    @property
    def base(self) -> str:
        """The address of its API."""
        return f"{self.address}{self.ways.base}"

    def put(self, resource: Json) -> Json:
        """Write as its own staff would, past every rule."""
        identity = resource.get("id") or self.new_id()
        return self.keep(resource["resourceType"], identity, resource, "PUT")

    def fail_next(self, *faults: str) -> None:
        """Let the next requests over HTTP fail, one each.

        Raises:
            ValueError: there is no fault of that name.
        """
        for fault in faults:
            if fault not in FAULTS:
                raise ValueError(f"no fault {fault!r}; there are: {', '.join(FAULTS)}")
        self._faults += faults

    # -- over HTTP --------------------------------------------------------------------------

    @property
    def app(self) -> Starlette:
        """The server over HTTP."""
        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        base = self.ways.base
        return Starlette(
            routes=[
                Route(base, self._answer, methods=every),
                Route(base + "/{path:path}", self._answer, methods=every),
            ]
        )

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append(
            Asked(
                method=request.method,
                path=request.url.path,
                query=request.url.query,
                authorization=request.headers.get("Authorization", ""),
                body=body,
            )
        )
        fault = self._faults.pop(0) if self._faults else ""
        if fault and fault != LATE:
            return await ANSWERS[fault](RestHost(base=self.address), request)
        path = request.path_params.get("path", "").strip("/")
        if self.guard is not None and path != "metadata" and not self.guard.accepts(request):
            return self._response(Refusal(401, "login", "no valid token").answer())
        answer = self.handle(self._asking(request, path, body))
        for told in self.after:
            await told()
        return Response("late", 504) if fault == LATE else self._response(answer)

    def _asking(self, request: Request, path: str, body: bytes) -> Asking:
        query = list(request.query_params.multi_items())
        value: Any = None
        if "form-urlencoded" in request.headers.get("content-type", ""):
            query = [*query, *parse_qsl(body.decode(), keep_blank_values=True)]
        elif body:
            try:
                value = orjson.loads(body)
            except orjson.JSONDecodeError:
                value = Refusal(400, "invalid", "it is no JSON", "http.body")
        return Asking(
            method=request.method,
            path=path,
            query=query,
            headers=dict(request.headers),
            body=value,
        )

    def _response(self, answer: Answer) -> Response:
        headers = dict(answer.headers)
        if answer.body is None:
            return Response(status_code=answer.status, headers=headers)
        return Response(orjson.dumps(answer.body), answer.status, headers, media_type=self.media)

    media = FHIR

    # -- one request ------------------------------------------------------------------------

    def handle(self, asking: Asking) -> Answer:
        """Answer one request; every refusal is an OperationOutcome."""
        try:
            if isinstance(asking.body, Refusal):
                raise asking.body
            return self._routed(asking)
        except Refusal as refusal:
            return self.refused(asking, refusal)

    def refused(self, asking: Asking, refusal: Refusal) -> Answer:
        """What a refusal looks like."""
        return refusal.answer()

    def _routed(self, asking: Asking) -> Answer:
        if asking.path == "metadata":
            return Answer(status=200, body=self.metadata())
        if self.ways.json_asked and "json" not in asking.headers.get("accept", "json"):
            return Answer(status=406)
        if not asking.path:
            return self.bundle(asking)
        kind, _, rest = asking.path.partition("/")
        allowed = self.ways.interactions(kind)
        if not allowed:
            raise Refusal(404, "not-supported", "there is no such type here", "http.url")
        wanted, work = self._work(asking, rest)
        if wanted not in allowed:
            raise Refusal(405, "not-supported", f"{wanted} is not offered", "http.method")
        return work(asking, kind, rest)

    def _work(self, asking: Asking, rest: str) -> tuple[str, Callable[[Asking, str, str], Answer]]:
        method = asking.method
        if not rest or rest == "_search":
            searching = method == "GET" or rest == "_search"
            return ("search-type", self.search) if searching else ("create", self.create)
        if "_history/" in rest:
            return "vread", self.vread
        if rest.endswith("/_history"):
            return "history-instance", self.history
        return {
            "GET": ("read", self.read),
            "PUT": ("update", self.update),
            "PATCH": ("patch", self.patch),
            "DELETE": ("delete", self.delete),
        }.get(method, ("create", self.create))

    def metadata(self) -> Json:
        """The CapabilityStatement."""
        return capability_statement(self.ways, self.base)

    def bundle(self, asking: Asking) -> Answer:
        """A batch or a transaction."""
        if asking.method == "GET" and any(name == "_page" for name, _ in asking.query):
            return Answer(status=200, body=self.pages.next(dict(asking.query)["_page"]))
        return process(self, asking)

    # -- interactions -----------------------------------------------------------------------

    def read(self, asking: Asking, kind: str, identity: str) -> Answer:
        """The newest version."""
        return self.shown(self._found(kind, identity), 200)

    def vread(self, asking: Asking, kind: str, rest: str) -> Answer:
        """One version."""
        identity, _, number = rest.partition("/_history/")
        found = self.store.version(kind, identity, int(number) if number.isdigit() else 0)
        if found is None:
            raise Refusal(404, "not-found", "there is no such version", "http.url")
        return self.shown(found, 200)

    def history(self, asking: Asking, kind: str, rest: str) -> Answer:
        """Every version, the newest first."""
        identity = rest.removesuffix("/_history")
        self._found(kind, identity)
        found = self.store.history(kind, identity)
        url = f"{self.base}/{kind}/{identity}"
        entries = [
            {
                "fullUrl": url,
                **({"resource": each.resource} if each.resource else {}),
                "request": {"method": each.method, "url": f"{kind}/{identity}"},
                "response": {"status": "200", "etag": f'W/"{each.number}"'},
            }
            for each in found
        ]
        bundle = {"resourceType": "Bundle", "type": "history", "total": len(found)}
        return Answer(status=200, body={**bundle, "entry": entries})

    def search(self, asking: Asking, kind: str, rest: str) -> Answer:
        """A searchset; POST _search, too."""
        return Answer(status=200, body=self.pages.first(kind, asking.query))

    def create(self, asking: Asking, kind: str, rest: str) -> Answer:
        """Store under a new id, unless If-None-Exist finds one."""
        made = self._resource(asking, kind)
        condition = asking.headers.get("if-none-exist")
        if condition and self.ways.conditional_create:
            asked = parse_qsl(condition.rpartition("?")[2], keep_blank_values=True)
            found = self.pages.found(kind, asked)
            if len(found) > 1:
                raise Refusal(412, "multiple-matches", "several match", "http.if-none-exist")
            if found:
                return self.shown(self._found(kind, found[0]["id"]), 200, located=True)
        self.check(kind, None, made)
        kept = self.keep(kind, self.new_id(), made, "POST")
        return self.shown(self._found(kind, kept["id"]), 201, located=True)

    def update(self, asking: Asking, kind: str, identity: str) -> Answer:
        """Store the next version."""
        made = self._resource(asking, kind)
        if made.get("id") != identity:
            raise Refusal(400, "invalid", "the id is not that of the address", f"{kind}.id")
        return self._next(asking, kind, identity, made)

    def patch(self, asking: Asking, kind: str, identity: str) -> Answer:
        """JSON Patch."""
        before = self._found(kind, identity).resource or {}
        made = rules.patched(orjson.loads(orjson.dumps(before)), asking.body)
        return self._next(asking, kind, identity, made)

    def delete(self, asking: Asking, kind: str, identity: str) -> Answer:
        """Gone, if nothing points to it."""
        self._found(kind, identity)
        if self.store.pointed_to(f"{kind}/{identity}"):
            raise Refusal(409, "conflict", "something points to it", "http.url")
        self.store.delete(kind, identity, self.now())
        return Answer(status=204)

    def _next(self, asking: Asking, kind: str, identity: str, made: Json) -> Answer:
        found = self.store.version(kind, identity)
        if found is None and not self.ways.update_creates:
            raise Refusal(404, "not-found", "there is no such resource", "http.url")
        match = asking.headers.get("if-match", "")
        if match and found is not None:
            self.check_version(found, match.removeprefix("W/").strip('"'))
        self.check(kind, found.resource if found else None, made)
        self.keep(kind, identity, made, "PUT")
        self.follow(made)
        return self.shown(self._found(kind, identity), 200 if found else 201, located=True)

    # -- rules, which the faulty servers of tests leave out ----------------------------------

    def check_version(self, found: Version, match: str) -> None:
        """If-Match."""
        if self.ways.stale and match != str(found.number):
            raise Refusal(self.ways.stale, "conflict", "it is another version", "http.if-match")

    def check(self, kind: str, before: Json | None, after: Json) -> None:
        """Everything that a write may not do."""
        if self.ways.validates:
            rules.check_values(after)
        if not self.ways.extensions and "modifierExtension" in after:
            raise Refusal(422, "extension", "not this extension", f"{kind}.modifierExtension")
        if self.ways.dangling:
            self.check_references(kind, after)
        if kind != "Task":
            return
        if before is None:
            if self.ways.moves:
                rules.check_start(after)
            return
        self.check_task(before, after)

    def check_task(self, before: Json, after: Json) -> None:
        """What may change in a Task."""
        if self.ways.moves:
            rules.check_move(before, after)
            rules.check_reason(after)
            rules.check_completed(after)
            rules.check_fixed(before, after)
        if self.ways.keeps_outputs:
            rules.check_outputs(before, after)

    def check_references(self, kind: str, resource: Json) -> None:
        """Links to its own resources lead somewhere."""
        for said, at in rules.references(resource, kind):
            own = said.removeprefix(f"{self.base}/").partition("/_history")[0].split("/")
            if len(own) == 2 and not self.store.known(*own):
                raise Refusal(self.ways.dangling, "not-found", "there is none", at)

    def follow(self, written: Json) -> None:
        """What the source does when its Task is completed: it closes the request."""
        focus = written.get("focus", {}).get("reference", "").split("/")
        if self.ways.closes and written.get("status") == "completed" and len(focus) == 2:
            asked = self.store.get(*focus)
            if asked is not None:
                self.keep(focus[0], focus[1], {**asked, "status": "completed"}, "PUT")

    # -- parts ------------------------------------------------------------------------------

    def keep(self, kind: str, identity: str, resource: Json, method: str) -> Json:
        """Store a version, as far as this maker's server keeps it."""
        lost = self.ways.drops.get(kind, ())
        kept = {name: value for name, value in resource.items() if name not in lost}
        made = self.store.put(kind, identity, kept, self.now(), method).resource or {}
        for told in self.written:
            told(made)
        return made

    def new_id(self) -> str:
        """The next id."""
        return f"s{next(self._ids)}"

    def shown(self, version: Version, status: int, *, located: bool = False) -> Answer:
        """A version with its headers."""
        if version.resource is None:
            raise Refusal(410, "deleted", "it was deleted", "http.url")
        kind, identity = version.resource["resourceType"], version.resource["id"]
        headers = {"ETag": f'W/"{version.number}"'}
        if located:
            headers["Location"] = f"{self.base}/{kind}/{identity}/_history/{version.number}"
        return Answer(status=status, body=version.resource, headers=headers)

    def _found(self, kind: str, identity: str) -> Version:
        found = self.store.version(kind, identity)
        if found is None:
            raise Refusal(404, "not-found", f"there is no such {kind}", "http.url")
        if found.resource is None:
            raise Refusal(410, "deleted", "it was deleted", "http.url")
        return found

    def _resource(self, asking: Asking, kind: str) -> Json:
        if not isinstance(asking.body, dict) or asking.body.get("resourceType") != kind:
            raise Refusal(400, "invalid", f"the body is no {kind}", "http.body")
        return {**asking.body}
