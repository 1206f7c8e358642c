"""Running the requirements against an endpoint, one after the other, each held to its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from adapter_conformance.endpoint.catalogue import endpoint_requirements
from adapter_conformance.endpoint.endpoint import Endpoint
from adapter_conformance.exchanges import HEARD, last, listening
from adapter_conformance.requirement import Failed, Requirement
from adapter_conformance.run import (
    Outcome,
    Result,
    in_order,
    judged,
    level_of,
    unmet,
    with_needs,
)

SECONDS = 60.0


def examine_endpoint(
    endpoint: Endpoint,
    *,
    only: Sequence[str] = (),
    waived: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    said: Callable[[Result], None] = lambda result: None,
) -> Outcome:
    """Run all requirements of its role (or `only` some, with what they need), and clear up.

    No level comes of a part.

    Raises:
        ValueError: there is no requirement of an id in `only` or `waived`.
    """
    known = {each.id: each for each in endpoint_requirements(endpoint.role)}
    wanted = with_needs(only, known)
    with_needs(tuple(waived or ()), known)
    results: dict[str, Result] = {}
    with asyncio.Runner() as runner:
        for each in in_order(known):
            if wanted and each.id not in wanted:
                continue
            reason = (waived or {}).get(each.id)
            if reason is not None:
                result = Result(requirement=each, word="waived", detail=reason)
            else:
                result = unmet(each, results) or _one(runner, each, endpoint, seconds)
            results[each.id] = result
            said(result)
        name = runner.run(_named(endpoint))
        runner.run(_close(endpoint))
    ordered = tuple(results[identity] for identity in known if identity in results)
    return Outcome(
        plugin=endpoint.source.base,
        version=name,
        distribution="",
        results=ordered,
        level=None if wanted else level_of(ordered),
        role=endpoint.role,
    )


def _one(
    runner: asyncio.Runner, requirement: Requirement, endpoint: Endpoint, seconds: float
) -> Result:
    heard = listening()

    async def look() -> None:
        HEARD.set(heard)
        async with asyncio.timeout(seconds):
            await requirement.look(endpoint)

    word, detail = judged(lambda: runner.run(look()), seconds)
    exchanges = last(heard) if word == "fail" else ()
    return Result(requirement=requirement, word=word, detail=detail, exchanges=exchanges)


async def _named(endpoint: Endpoint) -> str:
    """What the server calls itself."""
    try:
        software = (await endpoint.capability()).get("software", {})
    except Failed:
        return ""
    return " ".join(str(software[key]) for key in ("name", "version") if key in software)


async def _close(endpoint: Endpoint) -> None:
    endpoint.left = await endpoint.clear()
    for client in {id(each): each for each in (endpoint.source, endpoint.target)}.values():
        await client.close()
