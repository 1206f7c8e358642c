"""The FHIR record of one referral, read over HTTP: the request and all that it leads to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx

Resource = dict[str, Any]
_LOCAL = re.compile(r"^[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}$")


async def fetch(base: str, referral: str) -> Resource:
    """A collection Bundle: the ServiceRequest, its Tasks, and whatever they refer to."""
    found: dict[str, Resource] = {}
    async with httpx.AsyncClient(timeout=15.0) as client:
        waiting = [f"ServiceRequest/{referral}"]
        tasks = await client.get(f"{base}/Task", params={"focus": waiting[0]})
        entries = tasks.raise_for_status().json().get("entry", ())
        waiting += [f"Task/{entry['resource']['id']}" for entry in entries]
        while waiting:
            address = waiting.pop(0)
            if address in found:
                continue
            answer = await client.get(f"{base}/{address}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                continue
            found[address] = answer.raise_for_status().json()
            waiting += [each for each in references(found[address]) if each not in found]
            waiting += asked(found[address])
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"{base}/{address}", "resource": resource}
            for address, resource in found.items()
        ],
    }


def asked(resource: Resource) -> list[str]:
    """The questionnaire that a response answers, where it is one of the adapter's own."""
    url = str(resource.get("questionnaire", "")).partition("|")[0]
    return [f"Questionnaire/{url.rpartition('/')[2]}"] if url else []


def references(node: Any) -> Iterator[str]:
    """Every local reference in a resource."""
    if isinstance(node, dict):
        target = node.get("reference")
        if isinstance(target, str) and _LOCAL.match(target):
            yield target
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)
