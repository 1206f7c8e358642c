"""The corpus as parameters: `good` gets each right resource, `fault` each with one fault."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Fault:
    """A resource with one fault, and the issue that must name it."""

    name: str
    resource: dict[str, Any] = field(repr=False)
    expression: str = ""
    rule: str = ""
    severity: str = "error"


def _good() -> dict[str, dict[str, Any]]:
    return {p.stem: json.loads(p.read_bytes()) for p in sorted((CORPUS / "good").glob("*.json"))}


def _faults() -> list[Fault]:
    return [
        Fault(
            f"{path.stem}: {case['fault']}",
            case["resource"],
            case["expression"],
            case["rule"],
            case.get("severity", "error"),
        )
        for path in sorted((CORPUS / "bad").glob("*.json"))
        for case in json.loads(path.read_bytes())
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "good" in metafunc.fixturenames:
        good = _good()
        metafunc.parametrize("good", good.values(), ids=good.keys())
    if "fault" in metafunc.fixturenames:
        faults = _faults()
        metafunc.parametrize("fault", faults, ids=[one.name for one in faults])


@pytest.fixture(scope="session")
def good_corpus() -> dict[str, dict[str, Any]]:
    return _good()


@pytest.fixture(scope="session")
def fault_corpus() -> list[Fault]:
    return _faults()
