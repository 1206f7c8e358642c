"""Invariants of the clinical and administrative resources (https://hl7.org/fhir/R4, each page)."""

from __future__ import annotations

from adapter.fhir.invariants.rule import Invariant, Node, codings, each, has, has_choice

CONDITION_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CONDITION_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
ALLERGY_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
ENTERED_IN_ERROR = "entered-in-error"


def _wrong(node: Node, system: str) -> bool:
    return (system, ENTERED_IN_ERROR) in codings(node, "verificationStatus")


def _is_listed_problem(node: Node) -> bool:
    """What con-3 means; its expression compares a CodeableConcept with a string."""
    return any(
        coding.get("code") == "problem-list-item"
        for category in each(node, "category")
        for coding in each(category, "coding")
    )


def _abated(node: Node) -> bool:
    over = {"resolved", "remission", "inactive"}
    return any(
        system == CONDITION_CLINICAL and code in over
        for system, code in codings(node, "clinicalStatus")
    )


def _component_codes_differ(node: Node) -> bool:
    own = set(codings(node, "code"))
    return not any(own & set(codings(part, "code")) for part in each(node, "component"))


def _given_times(node: Node) -> bool:
    start, end = has(node, "start"), has(node, "end")
    return (start and end) or node.get("status") in {"proposed", "cancelled", "waitlist"}


def _named(node: Node) -> bool:
    return has(node, "identifier", "name")


def _no_home(node: Node) -> bool:
    return node.get("use") != "home"


CLINICAL = (
    Invariant(
        "ait-1",
        "an allergy needs a clinicalStatus unless it was entered in error",
        lambda d: has(d, "clinicalStatus") or _wrong(d, ALLERGY_VERIFICATION),
        at="clinicalStatus",
    ),
    Invariant(
        "ait-2",
        "an allergy entered in error must have no clinicalStatus",
        lambda d: not (_wrong(d, ALLERGY_VERIFICATION) and has(d, "clinicalStatus")),
        on=("verificationStatus",),
        at="clinicalStatus",
    ),
    Invariant(
        "app-1",
        "a participant needs a type or an actor",
        lambda d: has(d, "type", "actor"),
    ),
    Invariant(
        "app-2",
        "an appointment has both a start and an end, or neither",
        lambda d: has(d, "start") == has(d, "end"),
        on=("start", "end"),
    ),
    Invariant(
        "app-3",
        "only a proposed, cancelled or waitlisted appointment may lack start and end",
        _given_times,
        at="start",
    ),
    Invariant(
        "app-4",
        "cancelationReason is for appointments that are cancelled or a no-show",
        lambda d: d.get("status") in {"noshow", "cancelled"},
        on=("cancelationReason",),
        at="cancelationReason",
    ),
    Invariant(
        "apr-1",
        "a response needs a participantType or an actor",
        lambda d: has(d, "participantType", "actor"),
    ),
    Invariant(
        "cpl-3",
        "an activity has either a detail or a reference",
        lambda d: not (has(d, "detail") and has(d, "reference")),
        on=("detail",),
    ),
    Invariant(
        "con-1",
        "a stage needs a summary or an assessment",
        lambda d: has(d, "summary", "assessment"),
    ),
    Invariant("con-2", "evidence needs a code or a detail", lambda d: has(d, "code", "detail")),
    Invariant(
        "con-3",
        "a problem on the problem list should have a clinicalStatus",
        lambda d: (
            has(d, "clinicalStatus")
            or _wrong(d, CONDITION_VERIFICATION)
            or not _is_listed_problem(d)
        ),
        on=("category",),
        at="clinicalStatus",
        severity="warning",
    ),
    Invariant(
        "con-4",
        "a condition that has abated must be resolved, in remission or inactive",
        _abated,
        on=("abatement[x]",),
        at="clinicalStatus",
    ),
    Invariant(
        "con-5",
        "a condition entered in error must have no clinicalStatus",
        lambda d: not (_wrong(d, CONDITION_VERIFICATION) and has(d, "clinicalStatus")),
        on=("verificationStatus",),
        at="clinicalStatus",
    ),
    Invariant(
        "ces-1",
        "an item has either a category or a productOrService",
        lambda d: has(d, "category") != has(d, "productOrService"),
    ),
    Invariant(
        "fhs-1",
        "an age and a birth cannot both be given",
        lambda d: not has_choice(d, "born"),
        on=("age[x]",),
    ),
    Invariant(
        "fhs-2",
        "estimatedAge needs an age",
        lambda d: has_choice(d, "age"),
        on=("estimatedAge",),
        at="estimatedAge",
    ),
    Invariant(
        "gol-1",
        "a target with a detail must say its measure",
        lambda d: has(d, "measure"),
        on=("detail[x]",),
        at="measure",
    ),
    Invariant(
        "grp-1",
        "only an actual group may list members",
        lambda d: d.get("actual") is True,
        on=("member",),
        at="member",
    ),
    Invariant(
        "imm-1",
        "education needs a documentType or a reference",
        lambda d: has(d, "documentType", "reference"),
    ),
    Invariant(
        "imr-1",
        "a recommendation needs a vaccineCode or a targetDisease",
        lambda d: has(d, "vaccineCode", "targetDisease"),
    ),
    Invariant("ipn-1", "an insurance plan needs an identifier or a name", _named),
    Invariant("lnk-1", "a linkage needs at least two items", lambda d: len(d.get("item", ())) > 1),
    Invariant(
        "mad-1",
        "a dosage needs a dose or a rate",
        lambda d: has(d, "dose") or has_choice(d, "rate"),
    ),
    Invariant(
        "mdd-1",
        "whenHandedOver must not be before whenPrepared",
        lambda d: str(d.get("whenHandedOver", "9")) >= str(d.get("whenPrepared", ""))[:10],
        on=("whenHandedOver",),
        at="whenHandedOver",
    ),
    Invariant(
        "nor-1",
        "a nutrition order should have an oralDiet, a supplement or an enteralFormula",
        lambda d: has(d, "oralDiet", "supplement", "enteralFormula"),
        severity="warning",
    ),
    Invariant(
        "obs-3",
        "a reference range needs a low, a high or a text",
        lambda d: has(d, "low", "high", "text"),
    ),
    Invariant(
        "obs-6",
        "dataAbsentReason is only for an observation without a value",
        lambda d: not has_choice(d, "value"),
        on=("dataAbsentReason",),
        at="dataAbsentReason",
    ),
    Invariant(
        "obs-7",
        "with a value, no component may have the observation's own code",
        lambda d: not has_choice(d, "value") or _component_codes_differ(d),
        on=("component",),
        at="component",
    ),
    Invariant("org-1", "an organization needs an identifier or a name", _named),
    Invariant("org-2", "an organization's address cannot be a home address", _no_home, on=("use",)),
    Invariant("org-3", "an organization's telecom cannot be a home one", _no_home, on=("use",)),
    Invariant(
        "pat-1",
        "a contact needs a name, a telecom, an address or an organization",
        lambda d: has(d, "name", "telecom", "address", "organization"),
    ),
    Invariant(
        "ppc-1",
        "a consent needs a policy or a policyRule",
        lambda d: has(d, "policy", "policyRule"),
        at="policyRule",
    ),
    Invariant(
        "prr-1",
        "orderDetail needs a code that it details",
        lambda d: has(d, "code"),
        on=("orderDetail",),
        at="code",
    ),
    Invariant(
        "ras-2",
        "a probability must be at most 100",
        lambda d: (
            not isinstance(d.get("probabilityDecimal"), (int, float))
            or d["probabilityDecimal"] <= 100
        ),
        on=("probabilityDecimal",),
        at="probability",
    ),
    Invariant(
        "rqg-1",
        "an action has either a resource or further actions",
        lambda d: has(d, "resource") != has(d, "action"),
    ),
)
