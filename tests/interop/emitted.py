"""Everything that the adapter itself emits, gathered so that another maker's validator sees it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapter.fhir.extraction import extract
from adapter.fhir.instruments import instrument, instruments, translated
from adapter.fhir.population import populate

ROOT = Path(__file__).resolve().parent.parent.parent
PACKS = ROOT / "mappings" / "adapter_mappings"
Named = tuple[str, dict[str, Any]]


def emitted() -> list[Named]:
    """Return (name, resource) of all that we emit; names are stable from run to run."""
    return [*_instruments(), *_outcomes(), *_converted()]


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
    for made in extract(response, form, recorded="2025-03-01T10:00:00Z"):
        code = made["code"]["coding"][0]["code"] if "code" in made else "sources"
        yield f"extracted {made['resourceType']} {code}", made
    patient = {"resourceType": "Patient", "id": "synthetic"}
    yield "empty outcome response", populate(form, patient)


def _chosen(link_id: str, system: str, code: str) -> dict[str, Any]:
    return {"linkId": link_id, "answer": [{"valueCoding": {"system": system, "code": code}}]}


def _converted() -> Iterator[Named]:
    """Give what `adapter convert` makes of every HL7 v2 message that the packs carry as a case."""
    if importlib.util.find_spec("adapter.cli.convert") is None:
        print("interop: adapter convert is not part of this version; its Bundles are left out")
        return
    for file in sorted(PACKS.glob("*/cases/*.hl7")):
        if file.stem.startswith("every-field"):
            continue  # made to fill every field: their codes are invented in systems that HAPI has
        if file.stem.startswith("header@"):
            continue  # read for its header alone: the rest cannot be mapped, as is meant
        command = [str(Path(sys.executable).with_name("adapter")), "convert"]
        done = subprocess.run(
            [*command, "--from", "hl7v2", "--to", "fhir", str(file)],
            capture_output=True,
            text=True,
            check=True,
        )
        for number, line in enumerate(done.stdout.splitlines(), 1):
            yield f"converted {file.parts[-3]} {file.stem} {number}", json.loads(line)
