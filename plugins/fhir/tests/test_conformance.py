"""The plugin `fhir` against the whole conformance kit, and its README against the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import adapter_fhir
from adapter_conformance.run import examine
from adapter_conformance.subject import installed
from adapter_fhir.config import FhirConfig
from adapter_fhir.quirks import Quirks

README = (Path(adapter_fhir.__file__).parent.parent / "README.md").read_text("utf-8")


@pytest.mark.network
def test_fhir_is_at_least_reliable() -> None:
    outcome = examine(installed("fhir"))

    assert [each for each in outcome.results if each.word == "fail"] == []
    assert outcome.level in ("Reliable", "Complete")


@pytest.mark.parametrize("model", [FhirConfig, Quirks])
def test_every_setting_and_every_quirk_is_in_the_readme(model) -> None:
    rows = re.findall(r"^\| ([^|]+) \|", README, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert set(model.model_fields) <= explained


def test_every_error_code_has_its_page() -> None:
    code = "".join(
        file.read_text("utf-8") for file in Path(adapter_fhir.__file__).parent.glob("*.py")
    )
    raised = set(re.findall(r'"(fhir\.[a-z-]+)",', code))
    pages = Path(__file__).parents[3] / "docs" / "reference" / "errors.md"
    explained = set(re.findall(r"^### (fhir\.[a-z-]+)", pages.read_text("utf-8"), re.MULTILINE))

    assert len(raised) >= 12
    assert raised <= explained
