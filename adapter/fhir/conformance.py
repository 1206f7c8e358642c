"""Does a resource keep to a profile? The tree of `adapter.fhir.constraints` walked beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adapter.fhir.constraints import Constraint, Profile, matches
from adapter.fhir.definitions import concrete_name, resource_types
from adapter.fhir.invariants import Invariant
from adapter.fhir.invariants.profiles import PROFILE_RULES
from adapter.fhir.known import Known
from adapter.fhir.links import named_type
from adapter.fhir.outcome import ERROR, WARNING, Issue
from adapter.fhir.profile_tests import R4_TYPE, profile_test, target_types
from adapter.fhir.questionnaire_answers import compare
from adapter.fhir.slicing import Slices, held

# A profile may build on another, which may build on another; longer chains are circles.
MOST_BASES = 16


def claims(resource: Any, at: str) -> Iterator[tuple[Any, str, str]]:
    """Yield (resource, place, canonical) for each profile claimed, by entries and contained too."""
    if type(resource) is not dict or _silent(resource):
        return
    meta = resource.get("meta")
    if type(meta) is dict and type(meta.get("profile")) is list:
        for canonical in meta["profile"]:
            if type(canonical) is str:
                yield resource, at, canonical
    if type(contained := resource.get("contained")) is list:
        for index, one in enumerate(contained):
            yield from claims(one, f"{at}.contained[{index}]")
    if resource.get("resourceType") == "Bundle" and type(resource.get("entry")) is list:
        for index, entry in enumerate(resource["entry"]):
            held = entry.get("resource") if type(entry) is dict else None
            if type(held) is dict and not _silent(held):
                yield from claims(held, f"{at}.entry[{index}].resource")


def _silent(resource: Any) -> bool:
    """Whether a glance shows that nothing in a resource claims a profile; most claim none."""
    return "meta" not in resource and "contained" not in resource and "entry" not in resource


def profile_issues(resource: Any, profiles: Sequence[str], known: Known) -> list[Issue]:
    """Return the issues of a resource against the profiles it claims and those asked for."""
    kind = resource.get("resourceType") if type(resource) is dict else None
    at = kind if type(kind) is str else "Resource"
    issues: list[Issue] = []
    asked = [(resource, at, canonical) for canonical in profiles]
    seen: set[tuple[str, str]] = set()
    for one, place, canonical in (*asked, *claims(resource, at)):
        if (place, canonical) in seen:
            continue
        seen.add((place, canonical))
        profile = known.profile(canonical)
        if profile is None:
            if not _is_base(one, canonical):
                issues.append(_not_at_hand(place, canonical, known))
            continue
        issues += _unread(profile, known, place)
        if not _keeps(one, profile, known):
            issues += check_profile(one, profile, known, place)
    return issues


def _unread(profile: Profile, known: Known, at: str) -> Iterator[Issue]:
    """Say which constraints of a profile, and of what it builds on, were not evaluated."""
    one: Profile | None = profile
    for _ in range(MOST_BASES):
        if one is None:
            return
        if one.unread:
            keys = ", ".join(one.unread[:20])
            text = f"{one.name} has rules in FHIRPath that were not evaluated: {keys}"
            yield Issue(WARNING, "not-supported", at, text, "profile-unread")
        one = known.profile(one.base)


def _is_base(resource: Any, canonical: str) -> bool:
    """Whether a canonical is R4's own definition of the resource's type: checked anyway."""
    name = canonical.partition("|")[0].removeprefix(R4_TYPE)
    return name in (resource.get("resourceType"), "DomainResource", "Resource")


def _keeps(resource: Any, profile: Profile, known: Known) -> bool:
    """Whether the compiled test of the profile says yes."""
    try:
        return profile_test(profile, known)(resource)
    except (TypeError, AttributeError, KeyError, ValueError, RecursionError):
        return False


def _not_at_hand(at: str, canonical: str, known: Known) -> Issue:
    url, _, version = canonical.partition("|")
    other = known.profile(url)
    text = f"the profile {url} is not at hand, so it was not checked; give it with --with"
    if other is not None:
        text = (
            f"version {version} of {url} is not at hand, only {other.version}; it was not checked"
        )
    return Issue(WARNING, "not-found", f"{at}.meta.profile", text, "profile-unknown")


def check_profile(
    resource: Any, profile: Profile, known: Known, at: str, depth: int = 0
) -> list[Issue]:
    """Return the issues of a resource or data type against one profile and what it builds on."""
    wanted = profile.type if profile.type in resource_types() else None
    if type(resource) is not dict or resource.get("resourceType") != wanted:
        text = f"{profile.name} is a profile of {profile.type}"
        return [Issue(ERROR, "invalid", at, text, profile.name)]
    walk = _Walk(profile, known)
    walk.node(resource, profile.root, at)
    base = known.profile(profile.base) if depth < MOST_BASES else None
    inherited = check_profile(resource, base, known, at, depth + 1) if base else []
    return [*walk.issues, *inherited]


class _Walk:
    def __init__(self, profile: Profile, known: Known) -> None:
        self.profile = profile
        self.known = known
        self.issues: list[Issue] = []
        self.told = Slices(known, self.bound, self.keeps).belongs

    def say(self, code: str, at: str, text: str) -> None:
        self.issues.append(Issue(ERROR, code, at, text, self.profile.name))

    def node(self, node: Any, constraint: Constraint, at: str) -> None:
        """Check an object's children."""
        for key in constraint.keys:
            rule = PROFILE_RULES.get(key)
            if rule is not None and rule.matters(frozenset(node)) and not _holds(rule, node):
                where = f"{at}.{rule.at}" if rule.at else at
                self.issues.append(Issue(rule.severity, "invariant", where, rule.text, key))
        for name, child in constraint.children.items():
            self.child(node, name, child, at)

    def child(self, node: Any, name: str, constraint: Constraint, at: str) -> None:
        stem = constraint.label or name.removesuffix("[x]")
        where = f"{at}.{stem}"
        key, value = held(node, constraint)
        values = value if type(value) is list else [] if value is None else [value]
        if constraint.min and len(values) < constraint.min and f"_{key}" not in node:
            need = "is required" if constraint.min == 1 else f"needs {constraint.min} values"
            self.say("required", where, f"{stem} {need} by {self.profile.name}")
        if constraint.max is not None and len(values) > constraint.max:
            allowed = f"at most {constraint.max}" if constraint.max else "no value"
            self.say("structure", where, f"{self.profile.name} allows {allowed} here")
        if name.endswith("[x]") and values and constraint.types:
            allowed_names = {concrete_name(name, one) for one in constraint.types}
            if key not in allowed_names:
                text = f"must be one of {', '.join(sorted(allowed_names))}"
                self.say("value", where, f"{text} in {self.profile.name}")
        repeats = type(value) is list
        for index, item in enumerate(values):
            place = f"{where}[{index}]" if repeats else where
            if item is not None:
                self.value(key, item, constraint, place)
        if constraint.slices:
            self.slices(key, value, constraint, where)

    def value(self, key: str, value: Any, constraint: Constraint, at: str) -> None:
        """Check one value, of JSON name `key`."""
        if constraint.fixed is not None and value != constraint.fixed:
            self.say("value", at, f"must be exactly what {self.profile.name} fixes")
        if constraint.pattern is not None and not matches(value, constraint.pattern):
            self.say(
                "value", at, f"must hold what {self.profile.name} asks for: {_shown(constraint)}"
            )
        if constraint.value_set and not self.bound(value, constraint.value_set):
            text = f"must be a code of {constraint.value_set}"
            self.say("code-invalid", at, text)
        self.bounds(value, constraint, at)
        if type(value) is not dict:
            return
        self.typed(key, value, constraint, at)
        if constraint.targets and type(link := value.get("reference")) is str:
            self.target(link, constraint.targets, f"{at}.reference")
        if constraint.children or constraint.keys:
            self.node(value, constraint, at)

    def bounds(self, value: Any, constraint: Constraint, at: str) -> None:
        """Check maxLength, minValue and maxValue."""
        name = self.profile.name
        if constraint.length is not None and type(value) is str and len(value) > constraint.length:
            self.say("value", at, f"{name} allows at most {constraint.length} characters")
        if constraint.least and compare(constraint.least[0], value, *constraint.least) == -1:
            self.say("value", at, f"is below the least that {name} allows")
        if constraint.most and compare(constraint.most[0], value, *constraint.most) == 1:
            self.say("value", at, f"is above the most that {name} allows")

    def typed(self, key: str, value: Any, constraint: Constraint, at: str) -> None:
        """Hold a value to the profiles of its type: one of them is enough."""
        first: list[Issue] | None = None
        for canonical in constraint.profiles:
            profile = self.known.profile(canonical)
            if profile is None:
                return  # nobody can say that it does not keep to this one
            if constraint.name.endswith("[x]") and key != concrete_name(
                constraint.name, profile.type
            ):
                continue
            issues = check_profile(value, profile, self.known, at)
            if not issues:
                return
            first = issues if first is None else first
        self.issues += first or ()

    def keeps(self, value: Any, canonical: str) -> bool | None:
        """Whether a value keeps to a profile, None when that is not at hand."""
        profile = self.known.profile(canonical)
        return None if profile is None else not check_profile(value, profile, self.known, "")

    def bound(self, value: Any, value_set: str) -> bool:
        """Whether a code, Coding or CodeableConcept is in a set; true where it cannot be listed."""
        listed = self.known.codes(value_set)
        if listed is None:
            return True
        if type(value) is str:
            return any(value in codes for codes in listed.values())
        if type(value) is not dict:
            return False
        if type(codings := value.get("coding")) is list:
            return any(self.bound(coding, value_set) for coding in codings)
        system = value.get("system", "")
        code = value.get("code")
        return type(system) is str and type(code) is str and code in listed.get(system, ())

    def target(self, link: str, targets: tuple[str, ...], at: str) -> None:
        kind = named_type(link)
        wanted = target_types(targets, self.known)
        if kind is not None and wanted is not None and kind not in wanted:
            text = f"must refer to {' or '.join(sorted(wanted))} in {self.profile.name}"
            self.say("value", at, text)

    def slices(self, key: str, value: Any, constraint: Constraint, at: str) -> None:
        """Hold the items of an element of JSON name `key` to its slices, and count them."""
        slicing = constraint.slicing
        by = slicing.discriminators if slicing else (("value", "url"),)
        counts = dict.fromkeys(constraint.slices, 0)
        untold: set[str] = set()
        items = value if type(value) is list else [] if value is None else [value]
        for index, item in enumerate(items):
            place = f"{at}[{index}]" if items is value else at
            told = {n: self.told(key, item, one, by) for n, one in constraint.slices.items()}
            untold.update(name for name, answer in told.items() if answer is None)
            for name in (name for name, answer in told.items() if answer):
                counts[name] += 1
                self.value(key, item, constraint.slices[name], place)
            if slicing is not None and slicing.closed and not any(told.values()) and not untold:
                self.say("structure", place, f"{self.profile.name} has no slice for this value")
        for name, count in counts.items():
            one = constraint.slices[name]
            if one.min and count < one.min and name not in untold:
                text = f"{self.profile.name} needs at least {one.min} of '{name}' here"
                self.say("required", at, text)
            if one.max is not None and count > one.max:
                text = f"{self.profile.name} allows at most {one.max} of '{name}' here"
                self.say("structure", at, text)


def _holds(rule: Invariant, node: Any) -> bool:
    try:
        return rule.test(node)
    except (TypeError, AttributeError, KeyError, ValueError):
        return True  # it met a structure that the base checks report


def _shown(constraint: Constraint) -> str:
    """Say the codes of a pattern, which are vocabulary, not data about a person."""
    pattern = constraint.pattern
    codings = pattern.get("coding", [pattern]) if type(pattern) is dict else [{"code": pattern}]
    return (
        ", ".join(str(one.get("code", "")) for one in codings if type(one) is dict) or "a pattern"
    )
