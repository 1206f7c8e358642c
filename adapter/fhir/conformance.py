"""Does a resource keep to a profile? The tree of `adapter.fhir.constraints` walked beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adapter.fhir.constraints import Constraint, Profile, matches
from adapter.fhir.definitions import concrete_name
from adapter.fhir.invariants import Invariant
from adapter.fhir.invariants.profiles import PROFILE_RULES
from adapter.fhir.known import Known
from adapter.fhir.links import named_type
from adapter.fhir.outcome import ERROR, WARNING, Issue
from adapter.fhir.profile_tests import R4_TYPE, profile_test, target_types

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
        elif not _keeps(one, profile, known):
            issues += check_profile(one, profile, known, place)
    return issues


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
    """Return the issues of one resource against one profile and what it builds on."""
    if type(resource) is not dict or resource.get("resourceType") != profile.type:
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
        stem = name.removesuffix("[x]")
        where = f"{at}.{stem}"
        key, value = _held(node, name, constraint)
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
                self.value(item, constraint, place)
        if constraint.slices:
            self.slices(values, constraint, where, repeats)

    def value(self, value: Any, constraint: Constraint, at: str) -> None:
        if constraint.fixed is not None and value != constraint.fixed:
            self.say("value", at, f"must be exactly what {self.profile.name} fixes")
        if constraint.pattern is not None and not matches(value, constraint.pattern):
            self.say(
                "value", at, f"must hold what {self.profile.name} asks for: {_shown(constraint)}"
            )
        if constraint.value_set and not self.bound(value, constraint.value_set):
            text = f"must be a code of {constraint.value_set}"
            self.say("code-invalid", at, text)
        if type(value) is not dict:
            return
        if constraint.targets and type(link := value.get("reference")) is str:
            self.target(link, constraint.targets, f"{at}.reference")
        if constraint.children or constraint.keys:
            self.node(value, constraint, at)

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

    def slices(self, values: list[Any], constraint: Constraint, at: str, repeats: bool) -> None:
        counts = dict.fromkeys(constraint.slices, 0)
        slicing = constraint.slicing
        by = slicing.discriminators if slicing else (("value", "url"),)
        for index, item in enumerate(values):
            place = f"{at}[{index}]" if repeats else at
            found = [n for n, one in constraint.slices.items() if self.belongs(item, one, by)]
            for name in found:
                counts[name] += 1
                self.value(item, constraint.slices[name], place)
            if not found and slicing is not None and slicing.closed:
                self.say("structure", place, f"{self.profile.name} has no slice for this value")
        for name, count in counts.items():
            one = constraint.slices[name]
            if one.min and count < one.min:
                text = f"{self.profile.name} needs at least {one.min} of '{name}' here"
                self.say("required", at, text)
            if one.max is not None and count > one.max:
                text = f"{self.profile.name} allows at most {one.max} of '{name}' here"
                self.say("structure", at, text)

    def belongs(self, item: Any, one: Constraint, by: tuple[tuple[str, str], ...]) -> bool:
        """Whether an item is of a slice, by every discriminator that a dict can answer."""
        answers = [self.told(item, one, kind, path) for kind, path in by]
        known = [answer for answer in answers if answer is not None]
        return bool(known) and all(known)

    def told(self, item: Any, one: Constraint, kind: str, path: str) -> bool | None:
        """Answer one discriminator; None where it needs a resource that is not here."""
        if "resolve()" in path or kind == "profile":
            return None
        wanted, value, name = one, item, ""
        for step in () if path == "$this" else path.split("."):
            name = next((n for n in wanted.children if n.removesuffix("[x]") == step), "")
            if not name:
                name = next((n for n in wanted.children if n.startswith(step)), step)
            wanted = wanted.children.get(name, Constraint(step))
            key, value = _held(value, name, wanted) if type(value) is dict else ("", None)
            if value is None:
                return kind == "exists" and wanted.max == 0
            if kind == "type" and wanted.name.endswith("[x]"):
                return not wanted.types or key in {
                    concrete_name(wanted.name, one) for one in wanted.types
                }
        return kind in {"exists", "type"} or self.like(value, wanted)

    def like(self, value: Any, wanted: Constraint) -> bool:
        values = value if type(value) is list else [value]
        if wanted.fixed is not None:
            return wanted.fixed in values or wanted.fixed == value
        if wanted.pattern is not None:
            return any(matches(one, wanted.pattern) for one in values)
        if wanted.value_set:
            listed = self.known.codes(wanted.value_set)
            return listed is not None and any(self.bound(one, wanted.value_set) for one in values)
        if wanted.children:
            return all(
                self.like(_held(value, name, child)[1], child)
                for name, child in wanted.children.items()
                if child.fixed is not None or child.pattern is not None
            )
        return True


def _holds(rule: Invariant, node: Any) -> bool:
    try:
        return rule.test(node)
    except (TypeError, AttributeError, KeyError, ValueError):
        return True  # it met a structure that the base checks report


def _held(node: Any, name: str, constraint: Constraint) -> tuple[str, Any]:
    """Return (JSON name, value) of a child: for a choice, whichever type it has."""
    if not name.endswith("[x]"):
        return name, node.get(name)
    stem = name[:-3]
    for key, value in node.items():
        if key.startswith(stem) and key[len(stem) : len(stem) + 1].isupper():
            return key, value
    first = next(iter(constraint.types), "")
    return concrete_name(name, first), None


def _shown(constraint: Constraint) -> str:
    """Say the codes of a pattern, which are vocabulary, not data about a person."""
    pattern = constraint.pattern
    codings = pattern.get("coding", [pattern]) if type(pattern) is dict else [{"code": pattern}]
    return (
        ", ".join(str(one.get("code", "")) for one in codings if type(one) is dict) or "a pattern"
    )
