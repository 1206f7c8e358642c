from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path

import pytest

from adapter.fhir.format import FhirFormat
from adapter.mapping.packs import Packs, load_packs
from adapter.plugin.formats import Format
from adapter.referral.format import ReferralFormat
from adapter_hl7v2.format import Hl7v2Format

SHIPPED = ("hl7v2_ref", "fhir_r4")


@cache
def the_formats() -> Mapping[str, Format]:
    found: list[Format] = [FhirFormat(), ReferralFormat(), Hl7v2Format()]
    return {each.name: each for each in found}


@cache
def the_packs() -> Packs:
    root = resources.files("adapter_mappings")
    return load_packs(the_formats(), core=[root / name for name in SHIPPED])


@pytest.fixture
def formats() -> Mapping[str, Format]:
    return the_formats()


@pytest.fixture
def packs() -> Packs:
    return the_packs()


@pytest.fixture
def cases() -> Path:
    return Path(str(resources.files("adapter_mappings"))) / "hl7v2_ref" / "cases"


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """A shipped pack in a folder of its own, to be bent."""

    def copy(name: str) -> Path:
        target = tmp_path / name
        shutil.copytree(Path(str(resources.files("adapter_mappings"))) / name, target)
        return target

    return copy


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """A small pack of one map, from the text of its rows."""

    def write(rows: str, *, left: str = "format: fhir, message: Patient", **files: str) -> Path:
        root = tmp_path / "small"
        (root / "codes").mkdir(parents=True, exist_ok=True)
        (root / "pack.toml").write_text('[pack]\nname = "small"\nversion = "1"\n')
        text = f"map: one\nleft: {{{left}}}\nright: {{format: referral, kind: request}}\nrows:\n"
        (root / "one.map.yaml").write_text(text + rows)
        for name, content in files.items():
            (root / "codes" / f"{name}.csv").write_text(content)
        return root

    return write
