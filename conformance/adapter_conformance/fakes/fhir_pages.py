"""Searchsets of the fake FHIR server: what is found, what comes with it, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from adapter_conformance.fakes.fhir_asking import Json, Refusal, outcome
from adapter_conformance.fakes.fhir_search import (
    PARAMETERS,
    RESULT,
    Pairs,
    in_order,
    matches,
    values,
)

if TYPE_CHECKING:
    from adapter_conformance.fakes.fhir_server import FhirServer


class Pages:
    """The searches that go on; a page's address is opaque."""

    def __init__(self, server: FhirServer) -> None:
        self._server = server
        self._open: dict[str, tuple[list[Json], Pairs, int, int]] = {}

    def found(self, kind: str, asked: Pairs) -> list[Json]:
        """What answers a query, in the order of the last writes, or as `_sort` asks."""
        known = self._known(kind, asked)
        here = [each for each in self._server.store.all(kind) if self._is(each, known)]
        return in_order(here, dict(asked).get("_sort", ""))

    def _is(self, resource: Json, known: Pairs) -> bool:
        try:
            return matches(resource, known, self._server.base)
        except ValueError:
            raise Refusal(400, "invalid", "a value cannot be read", "http.url") from None

    def _known(self, kind: str, asked: Pairs) -> Pairs:
        ways = self._server.ways
        searchable = ways.searchable.get(kind, tuple(PARAMETERS))
        known: Pairs = []
        for name, text in asked:
            plain = name.partition(":")[0]
            if plain in RESULT or plain in ways.extra_parameters:
                continue
            if plain in searchable:
                known.append((name, text))
            elif ways.unknown_parameter == "refuse":
                raise Refusal(400, "not-supported", "this cannot be searched for", "http.url")
        needed = ways.needs.get(kind, ())
        if needed and not any(name.partition(":")[0] in needed for name, _ in asked):
            raise Refusal(400, "required", f"one is needed: {', '.join(needed)}", "http.url")
        return known

    def first(self, kind: str, asked: Pairs) -> Json:
        """The first page."""
        ways = self._server.ways
        wanted = dict(asked).get("_count", "")
        count = min(int(wanted) if wanted.isdigit() else ways.page, ways.most)
        found = self.found(kind, asked)
        if dict(asked).get("_summary") == "count" or count == 0:
            return {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        token = f"p{len(self._open) + 1}"
        self._open[token] = (found, asked, count, len(found))
        bundle = self._page(token, 0)
        query = f"?{urlencode(asked)}" if asked else ""
        address = f"{self._server.base}/{kind}{query}"
        bundle["link"].insert(0, {"relation": "self", "url": address})
        return bundle

    def next(self, token: str) -> Json:
        """A further page."""
        search, _, start = token.partition(".")
        if search not in self._open or not start.isdigit():
            raise Refusal(410, "expired", "this page is no longer kept", "http.url")
        return self._page(search, int(start))

    def _page(self, token: str, start: int) -> Json:
        found, asked, count, total = self._open[token]
        here = found[start : start + count]
        links = []
        if start + count < total:
            address = f"{self._server.base}?_page={token}.{start + count}"
            links.append({"relation": "next", "url": address})
        entries = [self._entry(each, "match") for each in here]
        entries += [self._entry(each, "include") for each in self._with(here, asked)]
        code = self._server.ways.nothing_found
        if not found and code:
            told = outcome("not-found", f"{code}: no results", severity="warning")
            entries.append({"resource": told, "search": {"mode": "outcome"}})
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": total}
        return {**bundle, "link": links, "entry": entries}

    def _entry(self, resource: Json, mode: str) -> Json:
        address = f"{self._server.base}/{resource['resourceType']}/{resource['id']}"
        return {"fullUrl": address, "resource": resource, "search": {"mode": mode}}

    def _with(self, found: list[Json], asked: Pairs) -> list[Json]:
        """What `_include` and `_revinclude` ask for, each once."""
        store, base = self._server.store, self._server.base
        more: dict[str, Json] = {}
        for name, text in asked:
            kind, _, parameter = text.partition(":")
            paths = PARAMETERS.get(parameter.partition(":")[0], ("", ()))[1]
            if name.partition(":")[0] == "_include":
                for one in (v for each in found for path in paths for v in values(each, path)):
                    said = one.get("reference", "").removeprefix(f"{base}/").split("/")
                    if len(said) == 2 and (there := store.get(*said)):
                        more["/".join(said)] = there
            elif name.partition(":")[0] == "_revinclude":
                names = {f"{each['resourceType']}/{each['id']}" for each in found}
                for each in store.all(kind):
                    links = {v.get("reference") for path in paths for v in values(each, path)}
                    if links & names:
                        more[f"{kind}/{each['id']}"] = each
        return list(more.values())
