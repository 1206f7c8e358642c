"""Everything that the adapter itself emits, gathered so that another maker's validator sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from adapter.api.metadata import capability_statement
from adapter.exchange.audit_event import Action, audit_event
from adapter.exchange.packs import formats_of, sound_packs
from adapter.exchange.plugins import load_plugins
from adapter.fhir.extraction import extract
from adapter.fhir.instruments import instrument, instruments, translated
from adapter.fhir.population import populate
from adapter.mapping.convert import convert_tree
from adapter.mapping.export import concept_maps
from adapter.mapping.packs import Packs
from adapter.mapping.run import Map
from adapter.plugin.errors import DataError
from adapter.plugin.formats import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
PACKS = ROOT / "mappings" / "adapter_mappings"
Named = tuple[str, dict[str, Any]]
LEFT_OUT = ("every-field", "single-", "oru-r01-values")
"""Cases with invented codes in systems that HAPI has, or with answers to a questionnaire that is
nowhere."""
NOWHERE = b"https://questionnaires.example/"
"""A questionnaire that nobody has: HAPI cannot look at answers to it."""
TRIES, TOO_SLOW = 3, 5
"""On a busy machine `adapter demo` ends with this code, and is run again."""
SOURCES = {".referral.json": "referral", ".json": "fhir", ".hl7": "hl7v2", ".csv": "csv"}
"""Formats by how a case's name ends; the first that fits counts."""


def emitted() -> list[Named]:
    """Return (name, resource) of all that we emit; names are stable from run to run."""
    return [*_instruments(), *_outcomes(), *_converted(), *_published(), *_lived()]


def _instruments() -> Iterator[Named]:
    for name in instruments():
        yield f"instrument {name}", instrument(name)
        yield f"instrument {name}, French", translated(instrument(name), "fr")


def _outcomes() -> Iterator[Named]:
    form = instrument("program-outcome")
    system = form["url"].replace("/Questionnaire/program-outcome", "/CodeSystem")
    response = {
        "resourceType": "QuestionnaireResponse",
        "id": "synthetic",
        "questionnaire": f"{form['url']}|{form['version']}",
        "status": "completed",
        "subject": {"reference": "Patient/synthetic", "display": "Synthetic client"},
        "authored": "2025-03-01T09:00:00Z",
        "item": [
            {"linkId": "sessions-attended", "answer": [{"valueInteger": 4}]},
            _chosen("what-mattered-met", f"{system}/what-mattered-met", "yes"),
            _chosen("wellbeing-change", f"{system}/wellbeing-change", "a-little-better"),
            _chosen("loneliness", f"{system}/loneliness-direct", "occasionally"),
            _chosen("enrolment", f"{system}/enrolment", "enrolled"),
            _chosen("give-back", f"{system}/give-back", "later"),
            _chosen("language-received", f"{system}/language-received", "fr"),
            {"linkId": "summary", "answer": [{"valueString": "Synthetic summary."}]},
        ],
    }
    yield "outcome response", response
    yield "outcome response, French", _in_french(response, form)
    for made in extract(response, form, recorded="2025-03-01T10:00:00Z"):
        code = made["code"]["coding"][0]["code"] if "code" in made else "sources"
        yield f"extracted {made['resourceType']} {code}", made
    patient = {"resourceType": "Patient", "id": "synthetic"}
    yield "empty outcome response", populate(form, patient)


def _in_french(response: dict[str, Any], form: dict[str, Any]) -> dict[str, Any]:
    """The response as a French page gives it: with the words that the person saw."""
    words = {item["linkId"]: item["text"] for item in translated(form, "fr")["item"]}
    items = [{**item, "text": words[item["linkId"]]} for item in response["item"]]
    return {**response, "language": "fr", "item": items}


def _chosen(link_id: str, system: str, code: str) -> dict[str, Any]:
    return {"linkId": link_id, "answer": [{"valueCoding": {"system": system, "code": code}}]}


def _converted() -> Iterator[Named]:
    """Give what every case of every pack becomes in FHIR, in base R4 and in each dialect."""
    packs = _packs()
    dialects = {each.dialect: None for each in packs.maps if each.left_format.name == "fhir"}
    for pack in packs.packs.values():
        for file in sorted(PACKS.joinpath(pack.name, "cases").glob("*.*")):
            if not file.stem.startswith(LEFT_OUT) and NOWHERE not in file.read_bytes():
                for dialect in dialects:
                    yield from _in_dialect(packs, pack.name, file, dialect)


def _in_dialect(packs: Packs, pack: str, file: Path, dialect: str | None) -> Iterator[Named]:
    reader = packs.formats[next(SOURCES[end] for end in SOURCES if file.name.endswith(end))]
    name = f"converted {pack} {file.stem}" + (f", {dialect}" if dialect else "")
    for number, message in enumerate(reader.split(file.read_bytes()), 1):
        if isinstance(message, DataError):
            raise message
        tree = reader.parse(message)
        if reader.name == "fhir" and tree["resourceType"] != "Bundle":
            continue  # it comes back as it came, whatever it claims
        source, named = reader.name, _named(packs, pack, file)
        if named is not None and source != "referral":
            source, tree = "referral", named.to_right(tree, Settings()).document
        made = convert_tree(tree, packs=packs, source=source, target="fhir", target_dialect=dialect)
        yield f"{name} {number}", orjson.loads(packs.formats["fhir"].dump(made))


def _named(packs: Packs, pack: str, file: Path) -> Map | None:
    """The map of a case ``map@anything``, whose message does not say by itself which one it is."""
    name, at, _ = file.name.partition("@")
    fitting = (m for m in packs.maps if at and (m.pack, m.name) == (pack, name))
    return next(fitting, None)


@cache
def _packs() -> Packs:
    plugins = load_plugins(None)
    return sound_packs(plugins, formats_of(plugins))


def referral_bundle() -> dict[str, Any]:
    """Return what the shipped 20-segment referral becomes, on which speed is measured."""
    file = PACKS / "hl7v2_ref" / "cases" / "ref-i12-20-segments.hl7"
    return next(_in_dialect(_packs(), "hl7v2_ref", file, None))[1]


def _published() -> Iterator[Named]:
    """Give what the adapter says of itself: its code tables, the audit trail."""
    at = datetime(2025, 3, 1, 9, tzinfo=UTC)
    for auth in ("open", "smart"):
        made = capability_statement("https://adapter.example", at, auth)
        yield f"capability statement, {auth}", made
    seen: tuple[tuple[str, Action, str], ...] = (
        ("read", "R", "Patient/synthetic"),
        ("search", "R", "Task"),
        ("create", "C", "Task/synthetic"),
        ("update", "U", "Task/synthetic"),
    )
    for name, action, entity in seen:
        yield (
            f"audit event, {name}",
            audit_event(
                action, entity, actor="Synthetic clerk", site="clinic", at=at, patient="synthetic"
            ),
        )
    for made in concept_maps(_packs()):
        yield f"code table {made['id']}", made


def _lived() -> Iterator[Named]:
    """Give the Bundles of the three journeys of `adapter demo`: written by a running service."""
    command = [str(Path(sys.executable).with_name("adapter")), "demo", "--json"]
    for _ in range(TRIES):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != TOO_SLOW:
            break
    done.check_returncode()
    for journey in json.loads(done.stdout.splitlines()[-1])["journeys"]:
        yield f"demo {journey['story']}", journey["bundle"]
