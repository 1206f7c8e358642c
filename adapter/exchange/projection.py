"""The FHIR face of a case: every resource that it projects to, kept in step in the same commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from adapter.fhir.bundles import relink_own
from adapter.fhir.checks import refuse_dangling, refuse_faulty
from adapter.fhir.instruments import instrument, instruments
from adapter.mapping.packs import Packs
from adapter.plugin.formats import Settings
from adapter.referral.document import to_document
from adapter.referral.model import ReferralEvent
from adapter.referral.room import Case
from adapter.store.resources import Newest, NewResource
from adapter.store.transaction import Transaction

Resource = dict[str, Any]

KEPT: Mapping[str, tuple[str, ...]] = {
    "Task": (
        "text", "extension", "instantiatesCanonical", "instantiatesUri", "basedOn",
        "groupIdentifier", "encounter", "performerType", "location", "reasonCode",
        "reasonReference", "insurance", "relevantHistory", "input", "partOf", "requester",
        "owner",
    ),
    "ServiceRequest": (
        "text", "instantiatesCanonical", "instantiatesUri", "basedOn", "encounter",
        "asNeededBoolean", "asNeededCodeableConcept", "quantityQuantity", "insurance", "specimen",
        "bodySite", "patientInstruction", "relevantHistory", "requester", "performer",
        "orderDetail", "extension",
    ),
}  # fmt: skip
"""Elements that the tables do not write, or not of every shape: what a client wrote there stays
with the resource, unless the projection has the element."""
CLIENTS: Mapping[str, tuple[str, ...]] = {"ServiceRequest": ("intent",)}
"""Elements that a client's word decides: a hub's request to an agency is a filler-order."""
JOINED: Mapping[str, tuple[str, ...]] = {"Task": ("restriction",)}
"""Elements of which the tables write a part, and a client may have written more."""
OWN = "https://social-prescribing-adapter.example/fhir/CodeSystem/social-prescription"
_NOTHING: Mapping[str, Any] = {}


def written_by_client(identity: str) -> bool:
    """True for an id that this server gave to a client's resource.

    Ids of what a client creates are UUIDv7; those of what a message maps to are uuid5.
    """
    return identity[14:15] == "7"


class Projector:
    """Projects cases through the FHIR pack, and writes what changed as new versions."""

    def __init__(self, packs: Packs) -> None:
        self.use(packs)

    def use(self, packs: Packs) -> None:
        """Project by the tables of these packs from now on."""
        self._table = packs.find("fhir", "Bundle", "referral")

    def bundle(self, case: Case, site: str) -> Resource:
        """The case as a FHIR R4 transaction Bundle; `site` is whose numbers it carries.

        Raises:
            DataError: the result fails our own checks; nothing that fails them is ever written.
        """
        bundle = self._made(case, site)
        refuse_faulty(bundle)
        return bundle

    def resources(self, case: Case, site: str) -> list[Resource]:
        """The resources of the case, each with its id, and references by type and id.

        Raises:
            DataError: as `bundle`.
        """
        return _apart(self.bundle(case, site))

    def _made(self, case: Case, site: str) -> Resource:
        event = ReferralEvent(kind="request", referral=case.referral, fulfilments=case.fulfilments)
        bundle: Resource = self._table.to_left(to_document(event), Settings(site=site)).tree
        return bundle

    def write(
        self,
        tx: Transaction,
        organization: str,
        case: Case,
        *,
        site: str,
        at: datetime,
        received: Mapping[str, Resource] = _NOTHING,
        new: bool = False,
    ) -> None:
        """Store a new version of each resource that is new or has changed.

        The questionnaires that were answered are stored too, as nobody's: they outlive the person.
        `received` are the request and tasks by id as a client wrote them: their elements that the
        tables do not write are kept, as are those of the version before. Other resources that a
        client wrote here stay as the client wrote them. A case that is `new` has no version before.

        A new case is checked as one Bundle. Of a case that was there, what is the same as its
        version before was checked then, so that each resource is checked that is not.

        Raises:
            DataError: as `bundle`.
        """
        resources = self.resources(case, site) if new else _apart(self._made(case, site))
        projected = {} if new else {(each["resourceType"], each["id"]): each for each in resources}

        def approve(changed: NewResource) -> None:
            resource = projected.get((changed.type, changed.id))
            if resource is not None:
                refuse_faulty(resource)
                refuse_dangling(resource)

        before = None
        if any(_has_before(each["resourceType"], each["id"], new) for each in resources):
            before = tx.resources.newest([each["id"] for each in resources])
        tx.resources.put_many(
            _merged(before, resources, received, new),
            organization=organization,
            referral=case.referral.id,
            last_updated=at,
            unless_same=True,
            approve=approve,
            before=before,
        )
        asked = [
            NewResource(type="Questionnaire", id=each["id"], content=each)
            for each in _questionnaires(case)
        ]
        if asked:
            tx.resources.put_many(
                asked, organization=organization, last_updated=at, unless_same=True
            )


def _apart(bundle: Resource) -> list[Resource]:
    """The resources of a Bundle that is nobody else's, each with its id, linked by type and id."""
    resources, urls = [], {}
    for entry in bundle["entry"]:
        url, resource = entry["fullUrl"], entry["resource"]
        resource["id"] = url.removeprefix("urn:uuid:")
        urls[url] = f"{resource['resourceType']}/{resource['id']}"
        resources.append(resource)
    relink_own(resources, urls)
    return resources


def _has_before(kind: str, own: str, new: bool) -> bool:
    """Whether the version before it, if there is one, says what is to be stored."""
    return written_by_client(own) or (kind in KEPT and not new)


def _merged(
    before: Newest | None,
    resources: Iterable[Resource],
    received: Mapping[str, Resource],
    new: bool,
) -> list[NewResource]:
    """What is to be stored: the projection, with what a client wrote where that stays."""
    merged = []
    for projected in resources:
        kind, own = projected["resourceType"], projected["id"]
        stored = before.get(kind, own) if before and _has_before(kind, own, new) else None
        if stored is not None and kind not in KEPT:
            continue
        source = received.get(own) or (stored.content if stored else _NOTHING)
        # After what is projected: what is the same must be the same bytes, whatever was kept.
        kept = (name for name in KEPT.get(kind, ()) if name in source and name not in projected)
        resource = {**projected, **{name: source[name] for name in kept}}
        for name in CLIENTS.get(kind, ()):
            if name in source:
                resource = {**resource, name: source[name]}
        for name in JOINED.get(kind, ()):
            if name in source:
                resource = {**resource, name: {**source[name], **resource.get(name, {})}}
        if kind == "Task" and "output" in source:
            resource = _with_outputs(resource, source["output"])
        merged.append(NewResource(type=kind, id=own, content=resource))
    return merged


def _with_outputs(task: Resource, written: list[Resource]) -> Resource:
    """A Task with the outputs that a client wrote and no table carries, after those that one does.

    Outputs of our own kinds are the tables' alone.
    """
    held = task.get("output", [])
    known = [_value(each) for each in held]
    further = [
        each
        for each in written
        if _value(each) not in known
        and not any(c.get("system") == OWN for c in each.get("type", {}).get("coding", ()))
    ]
    return {**task, "output": [*held, *further]} if further else task


def _value(output: Resource) -> Any:
    """What an output says, by which it is known: a reference's target, or the value itself."""
    value = next((each for name, each in output.items() if name.startswith("value")), None)
    return value.get("reference", value) if isinstance(value, dict) else value


def _questionnaires(case: Case) -> Iterator[Resource]:
    """The shipped questionnaires that the case's measures answer, each once."""
    asked = {
        measure.questionnaire.partition("|")[0].rpartition("/")[2]
        for fulfilment in case.fulfilments
        if fulfilment.outcome
        for measure in fulfilment.outcome.measures
        if measure.questionnaire
    }
    for name in sorted(asked & set(instruments()) if asked else ()):
        yield {**instrument(name), "id": name}
