"""The code tables of the mapping packs as ConceptMaps: read, search and $translate (FHIR R4 6.3).

They are what the adapter itself maps by, each table once for each direction; nobody writes them
here. They say nothing of any person.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapter.api.access import Door, admitted
from adapter.api.body import (
    FORM,
    as_resource,
    body,
    check_accept,
    check_resource,
    media_type,
    resource_body,
)
from adapter.api.faults import refused
from adapter.api.response import FhirResponse
from adapter.fhir.bundles import searchset
from adapter.fhir.translation import Question, translate
from adapter.mapping.export import concept_maps
from adapter.mapping.packs import Packs

Json = dict[str, Any]
KIND = "ConceptMap"
TRANSLATE = "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate"
SEARCHED = {
    "_id": "token",
    "url": "uri",
    "name": "string",
    "status": "token",
    "source-system": "uri",
    "target-system": "uri",
}
"""Search parameters and their types (R4 ConceptMap)."""
PLAIN = ("url", "code", "system", "source", "target", "targetsystem", "reverse")
CODE_TABLES: Json = {
    "type": KIND,
    "documentation": "The adapter's own code tables, each direction a map.",
    "interaction": [{"code": "read"}, {"code": "search-type"}],
    "searchParam": [{"name": name, "type": kind} for name, kind in SEARCHED.items()],
    "operation": [{"name": "translate", "definition": TRANSLATE}],
}
"""What the CapabilityStatement says of it."""


def terminology_routes() -> list[BaseRoute]:
    """The routes of the code tables; they go before those of stored resources."""
    return [
        Route(f"/{KIND}", search, methods=["GET"]),
        Route(f"/{KIND}/_search", search, methods=["POST"]),
        Route(f"/{KIND}/$translate", operate, methods=["GET", "POST"]),
        Route(f"/{KIND}/{{id:fhir_id}}", read, methods=["GET"]),
        Route(f"/{KIND}/{{id:fhir_id}}/$translate", operate, methods=["GET", "POST"]),
    ]


async def search(request: Request) -> Response:
    """Every code table, or those that fit; all parameters must fit, values by comma are choices."""
    door = _let_in(request, "s")
    asked = list(request.query_params.multi_items())
    if request.method == "POST":
        media_type(request, FORM)
        asked += parse_qsl((await body(request)).decode("utf-8", "replace"), max_num_fields=50)
    found = list(published(door.service.packs))
    for name, text in asked:
        if name in ("_format", "_pretty", "_count"):
            continue
        if name not in SEARCHED:
            text = f"not known for {KIND}. Known: {', '.join(SEARCHED)}"
            raise refused(400, text, "http.url")
        wanted = text.split(",")
        found = [each for each in found if any(_fits(each, name, one) for one in wanted)]
    base = f"{door.service.base_url()}/fhir"
    entries = [(f"{base}/{KIND}/{each['id']}", each) for each in found]
    return FhirResponse(searchset(entries, total=len(found), links={"self": str(request.url)}))


async def read(request: Request) -> Response:
    """One code table in one direction."""
    door = _let_in(request, "r")
    return FhirResponse(_one(door, "id", request.path_params["id"]))


async def operate(request: Request) -> Response:
    """$translate: of every table, of that named by url, or of that in the address."""
    door = _let_in(request, "r")
    given = await _given(request)
    maps: Iterable[Json]
    if "id" in request.path_params:
        maps = [_one(door, "id", request.path_params["id"])]
    elif given.get("conceptMap") is not None:
        check_resource(as_resource(given["conceptMap"], KIND), 400)
        maps = [given["conceptMap"]]
    elif given.get("url"):
        maps = [_one(door, "url", str(given["url"]).partition("|")[0])]
    else:
        maps = published(door.service.packs)
    return FhirResponse(translate(maps, _question(given)))


def published(packs: Packs) -> list[Json]:
    """The ConceptMaps of these packs; made once for each set of packs."""
    global _made
    if _made is None or _made[0] is not packs:
        _made = (packs, list(concept_maps(packs)))
    return _made[1]


_made: tuple[Packs, list[Json]] | None = None


def _let_in(request: Request, letter: str) -> Door:
    door = admitted(request)
    check_accept(request)
    if door.access is not None and not door.access.scopes.allow(KIND, letter):
        text = f"the token has no scope system/{KIND}.{letter}"
        raise refused(403, text, "http.authorization", rule="insufficient-scope")
    return door


def _one(door: Door, by: str, value: str) -> Json:
    for each in published(door.service.packs):
        if each[by] == value:
            return each
    raise refused(404, f"There is no such {KIND} here; search for those that are.", "http.url")


def _fits(concept_map: Json, name: str, wanted: str) -> bool:
    if name in ("source-system", "target-system"):
        side = name.partition("-")[0]
        return any(group.get(side) == wanted for group in concept_map["group"])
    if name == "name":  # a string search begins as asked, whatever its case
        return str(concept_map["name"]).lower().startswith(wanted.lower())
    return bool(concept_map[name.removeprefix("_")] == wanted.rpartition("|")[2])


async def _given(request: Request) -> Json:
    """The parameters by name, from the address or from a body of Parameters."""
    given: Json = {
        name: value for name, value in request.query_params.multi_items() if name in PLAIN
    }
    if request.method == "GET":
        return given
    listed = (await resource_body(request, "Parameters")).get("parameter")
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            at = f"Parameters.parameter[{index}]"
            raise refused(400, "a parameter has a name", at, code="structure")
        value = next((v for n, v in each.items() if n.startswith("value")), None)
        given.setdefault(each["name"], each.get("resource", value))
    return given


def _question(given: Json) -> Question:
    """What is asked; 400 where it cannot be understood."""
    codings = list(_codings(given))
    if not codings:
        _say("give code with system, coding, or codeableConcept")
    reverse = given.get("reverse", False)
    if reverse not in (True, False, "true", "false"):
        _say("reverse is true or false")
    return Question(
        codings=codings,
        source=_uri(given, "source"),
        target=_uri(given, "targetsystem") or _uri(given, "target"),
        reverse=reverse in (True, "true"),
    )


def _codings(given: Json) -> Iterable[tuple[str | None, str]]:
    concept = given.get("codeableConcept")
    several = concept.get("coding") if isinstance(concept, dict) else None
    found = [*(several if isinstance(several, list) else ()), given.get("coding")]
    if given.get("code") is not None:
        found.append({"code": given["code"], "system": given.get("system")})
    for each in found:
        if each is None:
            continue
        if not isinstance(each, dict) or not isinstance(each.get("code"), str):
            _say("a coding has a code")
        system = each.get("system")
        if system is not None and not isinstance(system, str):
            _say("a system is a URI")
        yield system, each["code"]


def _uri(given: Json, name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        _say(f"{name} is a URI")
    return value or None


def _say(text: str) -> NoReturn:
    raise refused(400, text, "Parameters.parameter", code="required")
