"""From a peer's resources to the Bundle that the core's tables read.

Logical ids of the peer stop here: each resource gets an id derived from the site and its address
(ours, where it is one of ours), and keeps its address as an identifier. References lead to these
ids; contained resources become entries of their own; parties that are no PractitionerRole get one
around them, for the tables read requester, performer and owner there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from adapter_fhir.outputs import ACTIVITY, codings, readable
from adapter_fhir.references import (
    URI,
    absolute,
    derived_id,
    identified,
    references,
    rewritten,
)

Json = dict[str, Any]
DIALECT = "sdohcc-3.0"
SPA = "https://social-prescribing-adapter.example/fhir"
EVENT_KIND = f"{SPA}/CodeSystem/event-kind"
PROGRAM = f"{SPA}/StructureDefinition/program"
REASONS = f"{SPA}/CodeSystem/referral-reason"
PARTIES = {"ServiceRequest": ("requester", "performer"), "Task": ("requester", "owner")}
LINKED = ("ServiceRequest", "Task", "Patient")
_NEWS = (
    "resourceType", "status", "statusReason", "businessStatus", "executionPeriod", "lastModified",
    "intent", "code",
)  # fmt: skip


class Inward:
    """The translation for one site.

    Args:
        site: its name, which ids derive from.
        base: its base_url, whose server relative references are of.
    """

    def __init__(self, site: str, base: str) -> None:
        self._site = site
        self._base = base

    def own_id(self, address: str) -> str:
        """Our id for what the peer has at an address."""
        return derived_id(self._site, absolute(address, self._base))

    def request(self, kind: str, found: Mapping[str, Json], *, at: str = "") -> bytes:
        """A request, modification or cancellation: everything that was found, by address."""
        entries = []
        for address, resource in _unpacked(found):
            entries.append((self.own_id(address), self._ours(address, resource)))
        return _bundle(kind, self._with_roles(entries), at)

    def news(
        self,
        kind: str,
        task: Json,
        found: Mapping[str, Json],
        *,
        fulfilment: str,
        referral: str,
        at: str = "",
    ) -> bytes:
        """What a peer says of a Task that carries out our referral; only that, and its outputs.

        Args:
            found: what its outputs refer to, by address.
        """
        said: Json = {name: task[name] for name in _NEWS if name in task}
        said = {**said, "id": fulfilment, "focus": {"reference": f"urn:uuid:{referral}"}}
        if "statusReason" in said:
            said["statusReason"] = _reason(said["statusReason"])
        notes = [each for each in task.get("note") or () if each.get("text")]
        if notes:
            said["note"] = notes
        outputs, made = self._outputs(task, found)
        if outputs:
            said["output"] = outputs
        request = {
            "resourceType": "ServiceRequest",
            "id": referral,
            "status": "active",
            "intent": "order",
        }
        entries = [(referral, request), (fulfilment, said), *made]
        for address, resource in _unpacked(found):
            entries.append((self.own_id(address), self._ours(address, resource)))
        return _bundle(kind, entries, at)

    def _outputs(
        self, task: Json, found: Mapping[str, Json]
    ) -> tuple[list[Json], list[tuple[str, Json]]]:
        outputs: list[Json] = []
        made: list[tuple[str, Json]] = []
        for given in task.get("output") or ():
            output, resource = readable(
                given, lambda reference: found.get(absolute(reference, self._base))
            )
            if resource is not None:
                text = orjson.dumps(given, option=orjson.OPT_SORT_KEYS).decode()
                own = derived_id(self._site, f"{task.get('id')}\x1f{text}")
                made.append((own, {**resource, "id": own}))
                output = {"type": ACTIVITY, "valueReference": {"reference": f"urn:uuid:{own}"}}
            outputs.append(rewritten(output, self._reference))
        return outputs, made

    def _ours(self, address: str, resource: Json) -> Json:
        """A resource under our id, linked to where it came from."""
        kind = resource["resourceType"]
        place = absolute(address, self._base)
        ours: Json = {
            name: rewritten(value, self._reference)
            for name, value in resource.items()
            if name not in ("id", "meta", "text", "contained")
        }
        security = (resource.get("meta") or {}).get("security")
        if security:
            ours["meta"] = {"security": security}
        ours["id"] = self.own_id(address)
        for name in ("output", "partOf") if kind == "Task" else ():
            ours.pop(name, None)
        if "basedOn" in resource:
            ours["basedOn"] = [self._by_address(each) for each in resource["basedOn"]]
        return identified(ours, place) if kind in LINKED and "#" not in place else ours

    def _by_address(self, reference: Json) -> Json:
        """A link to what this one was ordered for: by identifier, not by id."""
        if "identifier" in reference or "reference" not in reference:
            return {name: reference[name] for name in reference if name != "reference"}
        address = absolute(reference["reference"], self._base)
        return {"identifier": {"system": URI, "value": address}}

    def _reference(self, reference: Json) -> Json:
        literal = reference["reference"]
        if literal.startswith("urn:uuid:"):
            return reference
        return {**reference, "reference": f"urn:uuid:{self.own_id(literal)}"}

    def _with_roles(self, entries: list[tuple[str, Json]]) -> list[tuple[str, Json]]:
        """Parties that are no PractitionerRole, within one; a HealthcareService, as the program."""
        by_url = {f"urn:uuid:{own}": resource for own, resource in entries}
        made: list[tuple[str, Json]] = []
        result = []
        for own, resource in entries:
            changed = resource
            for name in PARTIES.get(resource["resourceType"], ()):
                changed = _wrapped(changed, name, by_url, made, own)
            result.append((own, changed))
        return result + made


def _wrapped(
    resource: Json, name: str, by_url: Mapping[str, Json], made: list[tuple[str, Json]], own: str
) -> Json:
    given = resource.get(name)
    if given is None:
        return resource
    listed = given if isinstance(given, list) else [given]
    kept, changed = [], resource
    for number, reference in enumerate(listed):
        target = by_url.get(reference.get("reference", ""))
        kind = target["resourceType"] if target else reference.get("type", "")
        if target is not None and kind == "HealthcareService":
            words = target.get("name") or next(iter(_values(target)), None)
            if words and not _has_program(changed):
                extension = {"url": PROGRAM, "valueString": words}
                changed = {**changed, "extension": [*changed.get("extension", ()), extension]}
            continue
        if kind == "PractitionerRole":
            kept.append(reference)
            continue
        role = _role(reference, target, kind)
        if role is None:
            continue
        role_id = derived_id(own, f"{name}/{number}")
        made.append((role_id, {**role, "id": role_id}))
        kept.append({"reference": f"urn:uuid:{role_id}"})
    changed = {key: value for key, value in changed.items() if key != name}
    if kept:
        changed[name] = kept if isinstance(given, list) else kept[0]
    return changed


def _role(reference: Json, target: Json | None, kind: str) -> Json | None:
    """A PractitionerRole around a party of another type; None if nothing is known of it."""
    if target is not None and kind in ("Organization", "Practitioner"):
        return {"resourceType": "PractitionerRole", kind.lower(): reference}
    if kind in ("Patient", "RelatedPerson"):
        words = "Self-referral" if kind == "Patient" else "Referred by somebody close"
        return {"resourceType": "PractitionerRole", "code": [{"text": words}]}
    if reference.get("display"):
        return {"resourceType": "PractitionerRole", "code": [{"text": reference["display"]}]}
    return None


def _has_program(resource: Json) -> bool:
    return any(each.get("url") == PROGRAM for each in resource.get("extension") or ())


def _values(resource: Json) -> Iterable[str]:
    return (each["value"] for each in resource.get("identifier") or () if each.get("value"))


def _reason(reason: Any) -> Json:
    """A statusReason of ours as it is; another maker's codes by their words."""
    if not isinstance(reason, dict):
        return {}
    own = [each for each in codings(reason) if each.get("system") == REASONS]
    words = reason.get("text") or next(
        (each["display"] for each in codings(reason) if each.get("display")), None
    )
    made: Json = {"coding": own} if own else {}
    return {**made, "text": words} if words else made


def _unpacked(found: Mapping[str, Json]) -> Iterable[tuple[str, Json]]:
    """Each resource by address; contained ones after their container, by address and anchor."""
    for address, resource in found.items():
        inner = [each for each in resource.get("contained") or () if isinstance(each, dict)]
        anchors = {f"#{each.get('id')}": f"{address}#{each.get('id')}" for each in inner}
        if not anchors:
            yield address, resource
            continue

        def lifted(reference: Json, anchors: Mapping[str, str] = anchors) -> Json:
            literal = reference["reference"]
            return {**reference, "reference": anchors.get(literal, literal)}

        yield address, rewritten(resource, lifted)
        for each in inner:
            if isinstance(each.get("resourceType"), str):
                yield f"{address}#{each.get('id')}", rewritten(each, lifted)


def _bundle(kind: str, entries: Iterable[tuple[str, Json]], at: str) -> bytes:
    listed = list(entries)
    named = {f"urn:uuid:{own}" for own, _ in listed}
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "collection",
        "meta": {"tag": [{"system": EVENT_KIND, "code": kind}]},
        "entry": [
            {"fullUrl": f"urn:uuid:{own}", "resource": _without_dangling(resource, named)}
            for own, resource in listed
        ],
    }
    if at:
        bundle["timestamp"] = at
    return orjson.dumps(bundle)


def _without_dangling(resource: Json, named: set[str]) -> Json:
    """The resource whose references to what did not come along say so by words alone."""
    if all(each["reference"] in named for each in references(resource)):
        return resource

    def change(reference: Json) -> Json:
        if reference["reference"] in named:
            return reference
        kept: Json = {
            name: value
            for name, value in reference.items()
            if name in ("identifier", "display", "type")
        }
        return kept or {"display": "not sent"}

    changed: Json = rewritten(resource, change)
    return changed
