"""Batch and transaction of the fake FHIR server (FHIR R4 3.1.0.11)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapter_conformance.fakes.fhir_asking import Answer, Asking, Json, Refusal

if TYPE_CHECKING:
    from adapter_conformance.fakes.fhir_server import FhirServer

ORDER = ("DELETE", "POST", "PUT", "PATCH", "GET")


def process(server: FhirServer, asking: Asking) -> Answer:
    """Each entry by itself, or all of them or nothing.

    Raises:
        Refusal: it is no such Bundle, or it is not offered, or an entry of a transaction fails.
    """
    bundle = asking.body
    kind = bundle.get("type") if isinstance(bundle, dict) else None
    if asking.method != "POST" or kind not in ("batch", "transaction"):
        raise Refusal(400, "invalid", "a batch or a transaction is posted here", "http.body")
    offered = server.ways.batches if kind == "batch" else server.ways.transactions
    if not offered:
        raise Refusal(400, "not-supported", f"a {kind} is not offered", "Bundle.type")
    entries = bundle.get("entry", [])
    answers = _batch(server, entries) if kind == "batch" else _transaction(server, entries)
    made: Json = {"resourceType": "Bundle", "type": f"{kind}-response"}
    return Answer(status=200, body={**made, "entry": [_entry(each) for each in answers]})


def _batch(server: FhirServer, entries: list[Json]) -> list[Answer]:
    return [server.handle(Asking.of_entry(each)) for each in entries]


def _transaction(server: FhirServer, entries: list[Json]) -> list[Answer]:
    kept = server.store.snapshot()
    names: dict[str, str] = {}
    answers: dict[int, Answer] = {}
    waiting = sorted(
        range(len(entries)), key=lambda n: ORDER.index(entries[n]["request"]["method"])
    )
    while waiting:
        ready = [n for n in waiting if not _unnamed(entries[n], entries, names)] or waiting[:1]
        number = ready[0]
        waiting.remove(number)
        entry = _named(entries[number], names)
        answer = server.handle(replace(Asking.of_entry(entry)))
        if answer.status >= 400:
            server.store.restore(kept)
            text = f"entry {number} was refused"
            issue = (answer.body or {}).get("issue", [{}])[0]
            at = f"Bundle.entry[{number}]"
            raise Refusal(answer.status, issue.get("code", "processing"), text, at)
        answers[number] = answer
        if answer.body is not None and "fullUrl" in entry:
            names[entry["fullUrl"]] = f"{answer.body['resourceType']}/{answer.body['id']}"
    return [answers[number] for number in range(len(entries))]


def _unnamed(entry: Json, entries: list[Json], names: dict[str, str]) -> bool:
    """True if it points to an entry that has no id yet."""
    own = entry.get("fullUrl", "")
    posted = {
        each.get("fullUrl", "")
        for each in entries
        if each["request"]["method"] == "POST" and each.get("fullUrl", "") not in ("", own)
    }
    return bool(_texts(entry.get("resource")) & (posted - set(names)))


def _texts(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {text for each in value.values() for text in _texts(each)}
    if isinstance(value, list):
        return {text for each in value for text in _texts(each)}
    return {value} if isinstance(value, str) else set()


def _named(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: each if key == "fullUrl" else _named(each, names) for key, each in value.items()
        }
    if isinstance(value, list):
        return [_named(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


def _entry(answer: Answer) -> Json:
    response: Json = {"status": str(answer.status)}
    if "Location" in answer.headers:
        response["location"] = answer.headers["Location"]
    if "ETag" in answer.headers:
        response["etag"] = answer.headers["ETag"]
    if answer.status >= 400:
        return {"response": {**response, "outcome": answer.body}}
    return {"response": response, **({"resource": answer.body} if answer.body else {})}
