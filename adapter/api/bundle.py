"""batch and transaction: several interactions in one Bundle (FHIR R4 3.1.0.11).

A transaction is one store transaction: everything or nothing. Its entries are done in the order
that R4 gives (POST, then PUT and PATCH, then GET), records before requests before tasks, so that a
Task finds its focus. A batch does each entry by itself, in the order given.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import Door, admitted
from adapter.api.body import check_accept, check_resource, resource_body, version_of_etag
from adapter.api.caller import Caller
from adapter.api.faults import Refused, refused
from adapter.api.history import of_one, of_type
from adapter.api.links import relative
from adapter.api.metadata import metadata_of
from adapter.api.offered import ROOM, TYPES
from adapter.api.query import Query, matches
from adapter.api.read import looked_up, resource
from adapter.api.response import FhirResponse
from adapter.api.search import page
from adapter.api.steps import METHODS, Step, check_apart, step_of
from adapter.api.writes import Written, create, existing, patch, update
from adapter.fhir.bundles import rewrite
from adapter.fhir.outcome import Issue, operation_outcome
from adapter.plugin.errors import AdapterError
from adapter.store.ids import new_id

Json = dict[str, Any]
MOST = 1000


async def process(request: Request) -> Response:
    """POST of a Bundle to the base address."""
    door = admitted(request)
    check_accept(request)
    bundle = await resource_body(request, "Bundle")
    kind = bundle.get("type")
    if kind not in ("batch", "transaction"):
        raise refused(422, "a batch or transaction is needed", "Bundle.type", code="value")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or len(entries) > MOST:
        raise refused(
            422, f"a Bundle has at most {MOST} entries", "Bundle.entry", code="too-costly"
        )
    if kind == "transaction":
        base = f"{door.service.base_url()}/fhir"
        check_resource(bundle)
        steps = [step_of(entry, index, base) for index, entry in enumerate(entries)]
        check_apart(steps)
        made = await door.write(lambda caller: transact(caller, steps))
    else:
        _check_shell(bundle)
        made = [await _alone(door, entry, index) for index, entry in enumerate(entries)]
    response: Json = {"resourceType": "Bundle", "type": f"{kind}-response"}
    if made:
        response["entry"] = made
    return FhirResponse(response)


def _check_shell(bundle: Json) -> None:
    """A batch may hold wrong entries beside right ones: here only what is around them is asked."""
    shell = {name: value for name, value in bundle.items() if name != "entry"}
    check_resource(shell)


async def _alone(door: Door, entry: Any, index: int) -> Json:
    """One entry of a batch; what is wrong with it is its own answer."""
    try:
        step = step_of(entry, index, f"{door.service.base_url()}/fhir")
        if step.content and step.method != "PATCH":
            check_resource(step.content)
        return await door.write(lambda caller: _single(caller, step))
    except Refused as error:
        return _failure(error)
    except AdapterError as error:
        issue = Issue("error", "transient", "", f"{error.message} {error.fix}".strip())
        return _failure(Refused(503, [issue]))


def _single(caller: Caller, step: Step) -> Json:
    _begin(caller, step)
    return _perform(caller, step, frozenset(), rollback=False)


def transact(
    caller: Caller, steps: list[Step], known: Mapping[str, str] | None = None
) -> list[Json]:
    """Do all steps; what each was answered with, in the order in which they were given.

    `known` are further words for what the steps write, each with the fullUrl that it stands for.
    """
    urls: dict[str, str] = {}
    for step in steps:
        with _at(step):
            _begin(caller, step)
        if step.method != "GET" and step.full_url:
            urls[step.full_url] = step.address
    urls |= {word: urls[url] for word, url in (known or {}).items() if url in urls}
    coming = frozenset(s.address for s in steps if s.method != "GET")
    made: dict[int, Json] = {}
    for step in sorted(steps, key=_order):
        with _at(step):
            step.content = _resolved(caller, step, urls)
            made[step.index] = _perform(caller, step, coming, rollback=True)
    return [made[step.index] for step in steps]


def _order(step: Step) -> tuple[int, int, int]:
    kind = step.kind
    return METHODS.index(step.method), (ROOM.index(kind) + 1 if kind in ROOM else 0), step.index


class _at:  # noqa: N801 - read as a word
    """Says of every refusal inside in which entry it was."""

    def __init__(self, step: Step) -> None:
        self._place = step.place

    def __enter__(self) -> None:
        return None

    def _at(self, expression: str) -> str:
        """A place in the resource, or in the request, as a place in the Bundle."""
        if expression.startswith(self._place):
            return expression
        if not expression or expression.startswith("http."):
            return self._place
        return f"{self._place}.resource.{expression.partition('.')[2]}".rstrip(".")

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Refused):
            raise Refused(
                error.status,
                [
                    Issue(
                        each.severity,
                        each.code,
                        self._at(each.expression),
                        each.diagnostics,
                        each.rule,
                    )
                    for each in error.issues
                ],
            ) from None


def _begin(caller: Caller, step: Step) -> None:
    """Find out which id an entry writes, before anything is written."""
    if step.method == "GET":
        return
    identity = step.url.partition("?")[0].partition("/")[2]
    at = f"{step.place}.request.url"
    if step.kind not in TYPES:
        raise refused(404, "there is no such resource type here", at)
    if step.method == "PATCH":
        if step.kind != "Task" or not identity or step.query:
            raise refused(405, "a Task can be patched, by Task/id", at)
        step.identity = identity
        return
    if step.content.get("resourceType") != step.kind or (identity and step.query):
        raise refused(400, "the address is that of the resource: Type, or Type/id", at)
    if step.method == "POST":
        if identity or step.query:
            raise refused(400, "POST goes to the type", at)
        if step.if_none_exist is not None:
            step.found = existing(caller, step.kind, step.if_none_exist)
        step.identity = step.found.id if step.found else new_id()
    elif step.query:
        step.found = existing(caller, step.kind, step.query, at)
        step.identity = step.found.id if step.found else new_id()
        if step.found and step.content.get("id", step.identity) != step.identity:
            raise refused(400, "the search finds another id", f"{step.place}.resource.id")
    else:
        step.identity = identity
        if step.content.get("id") != identity:
            raise refused(400, "the id is that of the address", f"{step.place}.resource.id")


def _resolved(caller: Caller, step: Step, urls: dict[str, str]) -> Json:
    """The resource with addresses in place of fullUrls and of conditional references."""

    def change(reference: Json) -> Json | None:
        said: str = reference["reference"]
        if said in urls:
            return {**reference, "reference": urls[said]}
        kind, question, query = said.partition("?")
        if not question or kind not in TYPES:
            return None
        asked = Query.of(kind, parse_qsl(query, keep_blank_values=True), base=caller.base)
        found = matches(caller, asked, 2)
        if len(found) != 1:
            text = f"the conditional reference finds {len(found) or 'no'} {kind}, not one"
            raise refused(412, text, f"{step.url}.reference", code="not-found")
        return {**reference, "reference": f"{kind}/{found[0].id}"}

    made: Json = rewrite(relative(step.content, caller.base), change)
    return made


def _perform(caller: Caller, step: Step, coming: frozenset[str], *, rollback: bool) -> Json:
    if step.method == "GET":
        return _read(caller, step)
    version = version_of_etag(step.if_match)
    if step.method == "PATCH":
        written = patch(caller, step.identity, step.patch(), version)
    elif step.method == "PUT" and (step.found is not None or not step.query):
        content = {**step.content, "id": step.identity}
        written = update(caller, step.kind, step.identity, content, version=version, coming=coming)
    elif step.found is not None:
        written = Written(row=step.found)
    else:
        written = create(caller, step.content, identity=step.identity, coming=coming)
    if written.blocked is not None:
        if rollback:
            raise written.blocked
        return _failure(written.blocked)
    return _success(written, caller.base)


def _read(caller: Caller, step: Step) -> Json:
    """A read or a search inside a Bundle."""
    path, _, query = step.url.partition("?")
    parts = path.split("/")
    kind = parts[0]
    if len(parts) == 1 and kind in TYPES:
        asked = parse_qsl(query, keep_blank_values=True)
        found = page(caller, kind, asked)
        return _answered(found)
    if path == "metadata":
        return _answered(metadata_of(caller.service))
    if parts[1:] == ["_history"] and kind in TYPES:
        return _answered(of_type(caller, kind, parse_qsl(query, keep_blank_values=True)))
    if len(parts) == 3 and parts[2] == "_history":
        return _answered(of_one(caller, kind, parts[1], parse_qsl(query, keep_blank_values=True)))
    version = None
    if len(parts) == 4 and parts[2] == "_history" and parts[3].isdigit() and len(parts[3]) < 10:
        version = int(parts[3])
    elif len(parts) != 2:
        raise refused(400, "Type, Type/id, or their _history", "http.url")
    return _success(Written(row=looked_up(caller, kind, parts[1], version)), caller.base)


def _answered(found: Json) -> Json:
    return {"resource": found, "response": {"status": "200 OK"}}


def _success(written: Written, base: str) -> Json:
    row = written.row
    if row is None:
        raise refused(404, "the resource is not here any more", "http.url")
    return {
        "fullUrl": f"{base}/{row.type}/{row.id}",
        "resource": resource(row),
        "response": {
            "status": "201 Created" if written.created else "200 OK",
            "location": f"{base}/{row.type}/{row.id}/_history/{row.version}",
            "etag": f'W/"{row.version}"',
            "lastModified": row.last_updated.isoformat(timespec="milliseconds"),
        },
    }


def _failure(error: Refused) -> Json:
    status = f"{error.status} {HTTPStatus(error.status).phrase}"
    return {"response": {"status": status, "outcome": operation_outcome(error.issues)}}
