"""SDC observation-based `$extract`: the answers of a completed response as Observations.

Sources: Structured Data Capture (SDC) 3.0, "Form Data Extraction", observation-based: an item with
`item.code` and the extension observationExtract (on the code, the item, or inherited from what
holds it) gives one Observation for each answer, and a group gives a panel with `hasMember`. Only a
completed or amended response is extracted; nothing is stored here.

Ids are made from the response's identity, the linkId and the place of the answer, so that running
again gives the same Observations and an amendment gives new versions of the same. A server that
gives ids of its own still knows an Observation by its identifier, which is that id as a UUID.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from adapter.fhir.questionnaire_answers import same_coding, value_of
from adapter.fhir.questionnaire_form import SDC, Form, Question, extension_values, read_form

OBSERVATION_EXTRACT = SDC + "sdc-questionnaire-observationExtract"
NAMESPACE = UUID("5b0c2f2e-6c0e-5d43-9a52-6f1d3a1f7b10")
"""The uuid5 namespace of extracted resources: never changed, or ids would."""
URI_SYSTEM = "urn:ietf:rfc:3986"
"""The system of identifiers that are URIs (R4, Identifier registry)."""
EXTRACTABLE = frozenset(["completed", "amended", "entered-in-error"])
SURVEY = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "survey",
            "display": "Survey",
        }
    ]
}


class ExtractionError(ValueError):
    """The response cannot be extracted; the message says why and what to do."""


def extract(
    response: Mapping[str, Any],
    questionnaire: Mapping[str, Any],
    *,
    recorded: str,
    agent: Mapping[str, Any] | None = None,
    identity: str | None = None,
    source: Mapping[str, Any] | None = None,
    previous: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return the Observations of a checked response, then the Provenance that tells of them.

    `recorded`: the instant of the extraction (FHIR instant), for the Provenance. `agent`: who
    extracts (a Reference; default: this adapter, by name). `identity`: what stays the same when the
    response is amended; default its `identifier`, else its `id`. `source`: the Reference for
    derivedFrom; default made from `id` or `identifier`. `previous`: the Observations of the
    last extraction: those that did not change are returned as they were, those whose answer is
    gone come back as entered-in-error. Empty when nothing is to be extracted.

    A response that is entered-in-error gives its Observations with that status.
    Raises ExtractionError for a response that is not finished, that has no identity, or for an
    item whose answers no Observation can hold (attachment, reference).
    """
    status = response.get("status")
    if status not in EXTRACTABLE:
        raise ExtractionError("only a completed or amended response is extracted")
    form = read_form(questionnaire)
    key = identity or _identity(response)
    shared = _shared(response, source)
    made = _Maker(form, key, shared).run(response)
    observations = [_versioned(each, previous) for each in made]
    observations += _gone(observations, previous)
    if not observations:
        return []
    who = dict(agent) if agent else {"display": "Social prescribing adapter"}
    return [*observations, _provenance(response, observations, shared, recorded, who, key)]


def _identity(response: Mapping[str, Any]) -> str:
    identifier = response.get("identifier")
    if isinstance(identifier, dict) and identifier.get("value"):
        return f"{identifier.get('system', '')}|{identifier['value']}"
    if response.get("id"):
        return f"QuestionnaireResponse/{response['id']}"
    raise ExtractionError("the response needs an identifier or an id, or give its identity")


def source_of(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Reference by which an Observation names the response that it comes from."""
    if response.get("id"):
        return {"reference": f"QuestionnaireResponse/{response['id']}"}
    return {"type": "QuestionnaireResponse", "identifier": response.get("identifier")}


_STATUSES = {"completed": "final", "amended": "amended", "entered-in-error": "entered-in-error"}


def _shared(
    response: Mapping[str, Any], source: Mapping[str, Any] | None
) -> dict[str, dict[str, Any]]:
    """Return the elements that every Observation has, before and after its code and value."""
    source = source_of(response) if source is None else source
    before: dict[str, Any] = {"status": _STATUSES[response["status"]], "category": [SURVEY]}
    after: dict[str, Any] = {"derivedFrom": [dict(source)]}
    context: dict[str, Any] = {
        "subject": response.get("subject"),
        "encounter": response.get("encounter"),
        "effectiveDateTime": response.get("authored"),
        "performer": [response["author"]] if response.get("author") else None,
    }
    kept = {name: value for name, value in context.items() if value is not None}
    return {"before": before, "context": kept, "after": after}


@dataclass(slots=True)
class _Maker:
    form: Form
    key: str
    shared: Mapping[str, Mapping[str, Any]]

    def run(self, response: Mapping[str, Any]) -> list[dict[str, Any]]:
        on_form = _flag(self.form.definition)
        made: list[dict[str, Any]] = []
        members = list(self.items(response, "", on_form is True, made))
        codes = self.form.definition.get("code")
        if on_form is True and codes and members:
            made.append(self.observation("", codes, {"hasMember": members}))
        return made

    def items(
        self, container: Mapping[str, Any], path: str, inherited: bool, made: list[dict[str, Any]]
    ) -> Iterator[dict[str, str]]:
        """Make the Observations of the items in a container; yield references to the top ones."""
        seen: dict[str, int] = {}
        for item in container.get("item", ()):
            question = self.form.questions.get(item.get("linkId"))
            if question is None:
                continue
            index = seen.get(question.link_id, 0)
            seen[question.link_id] = index + 1
            here = f"{path}/{question.link_id}[{index}]"
            wanted = _flag(question.definition)
            asked = inherited if wanted is None else wanted
            if question.is_question:
                yield from self.question(question, item, here, asked, made)
            else:
                yield from self.group(question, item, here, asked, made)

    def group(
        self,
        group: Question,
        item: Mapping[str, Any],
        path: str,
        asked: bool,
        made: list[dict[str, Any]],
    ) -> Iterator[dict[str, str]]:
        members = list(self.items(item, path, asked, made))
        codes = _codes(group, asked)
        if not codes or not members:
            yield from members
            return
        panel = self.observation(path, codes, {"hasMember": members})
        made.append(panel)
        yield _reference(panel)

    def question(
        self,
        question: Question,
        item: Mapping[str, Any],
        path: str,
        asked: bool,
        made: list[dict[str, Any]],
    ) -> Iterator[dict[str, str]]:
        codes = _codes(question, asked)
        for index, answer in enumerate(item.get("answer", ())):
            here = f"{path}[{index}]"
            values = value_of(answer)
            if codes and values:
                observation = self.observation(here, codes, _value(question, *values[0][1:]))
                made.append(observation)
                yield _reference(observation)
            yield from self.items(answer, here, asked, made)

    def observation(
        self, path: str, codes: Sequence[Mapping[str, Any]], content: Mapping[str, Any]
    ) -> dict[str, Any]:
        members = {"hasMember": content["hasMember"]} if "hasMember" in content else {}
        value = {} if members else content
        name = str(uuid5(NAMESPACE, f"{self.key}#{path}"))
        return {
            "resourceType": "Observation",
            "id": name,
            "identifier": [{"system": URI_SYSTEM, "value": f"urn:uuid:{name}"}],
            **self.shared["before"],
            "code": {"coding": [_plain(code) for code in codes]},
            **self.shared["context"],
            **value,
            **members,
            **self.shared["after"],
        }


def _flag(element: Mapping[str, Any]) -> bool | None:
    values = extension_values(element).get(OBSERVATION_EXTRACT)
    return values[0][1] is True if values else None


def _codes(question: Question, asked: bool) -> list[Mapping[str, Any]]:
    """Return the codes of the item that are to be extracted: a code's own flag comes first."""
    found = []
    for code in question.definition.get("code", ()):
        wanted = _flag(code)
        if wanted or (wanted is None and asked):
            found.append(code)
    return found


def _plain(coding: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Coding as data: the form's extensions (weights, translations) stay in the form."""
    return {k: coding[k] for k in ("system", "version", "code", "display") if k in coding}


def _value(question: Question, kind: str, value: Any) -> dict[str, Any]:
    if kind in ("boolean", "integer", "string", "time", "dateTime"):
        return {f"value{kind[0].upper()}{kind[1:]}": value}
    if kind == "Quantity":
        return {"valueQuantity": value}
    if kind == "decimal":
        return {"valueQuantity": {"value": value, **_unit(question)}}
    if kind == "Coding":
        return {"valueCodeableConcept": {"coding": [_named(question, _plain(value))]}}
    if kind == "date":
        return {"valueDateTime": value}
    if kind == "uri":
        return {"valueString": value}
    raise ExtractionError(
        f"{question.link_id}: no Observation in R4 can hold a value of type {kind}"
    )


def _named(question: Question, coding: dict[str, Any]) -> dict[str, Any]:
    """Return the Coding with the form's words for it, if the answer came without any."""
    if "display" not in coding:
        for option in question.options:
            if option.kind == "Coding" and same_coding(coding, option.value):
                return _plain({**option.value, **coding})
    return coding


def _unit(question: Question) -> dict[str, Any]:
    """Return the unit that the form gives for a number (R4 extension questionnaire-unit)."""
    unit = extension_values(question.definition).get(
        "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"
    )
    if not unit or not isinstance(unit[0][1], dict):
        return {}
    coding = unit[0][1]
    named = {"unit": coding.get("display", coding.get("code"))}
    return named | {k: coding[k] for k in ("system", "code") if k in coding}


def _reference(observation: Mapping[str, Any]) -> dict[str, str]:
    return {"reference": f"Observation/{observation['id']}"}


def _versioned(
    observation: dict[str, Any], previous: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the previous Observation when only its status would differ; else the new one."""
    if observation["status"] != "amended":
        return observation
    ignored = {"status": None, "meta": None}
    for old in previous:
        if old.get("id") == observation["id"] and old.get("status") != "entered-in-error":
            return dict(old) if {**old, **ignored} == {**observation, **ignored} else observation
    return observation


def _gone(
    observations: Sequence[Mapping[str, Any]], previous: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    kept = {observation["id"] for observation in observations}
    return [
        {**old, "status": "entered-in-error"}
        for old in previous
        if old.get("resourceType") == "Observation" and old.get("id") not in kept
    ]


def _provenance(
    response: Mapping[str, Any],
    observations: Sequence[Mapping[str, Any]],
    shared: Mapping[str, Mapping[str, Any]],
    recorded: str,
    agent: Mapping[str, Any],
    key: str,
) -> dict[str, Any]:
    version = response.get("meta", {}).get("versionId") or response["status"]
    return {
        "resourceType": "Provenance",
        "id": str(uuid5(NAMESPACE, f"{key}#provenance#{version}")),
        "target": [_reference(observation) for observation in observations],
        "recorded": recorded,
        "activity": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle",
                    "code": "transform",
                }
            ]
        },
        "agent": [{"who": dict(agent)}],
        "entity": [{"role": "source", "what": shared["after"]["derivedFrom"][0]}],
    }
