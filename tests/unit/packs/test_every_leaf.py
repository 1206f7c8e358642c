"""Every value of every message that ships is carried or in the loss report: counted leaf by leaf.

The cases of all packs, the samples of the plugins, and, where they are at hand, the shared samples.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from adapter.cli.formats import installed_formats
from adapter.mapping.convert import convert_tree, explain_tree
from adapter.mapping.errors import NoMapError
from adapter.mapping.explain import Explanation
from adapter.mapping.packs import Packs, load_packs

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("ADAPTER_SHARED", ROOT.parent / "shared")) / "samples"
FORMATS = {".hl7": "hl7v2", ".json": "fhir", ".csv": "csv"}
CASES = sorted(
    each
    for each in (ROOT / "mappings" / "adapter_mappings").glob("*/cases/*")
    if each.suffix in FORMATS and "@" not in each.name
)
SAMPLES = sorted(ROOT.glob("plugins/*/adapter_*/samples/*.hl7"))
MESSAGES = sorted(SHARED.rglob("*.hl7"))


@cache
def the_packs() -> Packs:
    return load_packs(installed_formats(), compiled=False)


def explained(file: Path, target: str) -> Iterator[tuple[Explanation, set[str]]]:
    """Each message of a file, explained, with the paths of all its leaves."""
    packs, source = the_packs(), FORMATS[file.suffix]
    format_ = packs.formats[source]
    for part in format_.split(file.read_bytes()):
        assert isinstance(part, bytes), f"{file.name}: {part}"
        tree = format_.parse(part)
        pack = file.parent.parent.name if file.parent.name == "cases" else ""
        preferred = packs.preferring(pack) if pack else packs
        try:
            found = explain_tree(tree, packs=preferred, source=source, target=target)
        except NoMapError:
            assert pack == "", f"{file.name} is a case, and no map takes it"
            continue
        if isinstance(tree, dict) and tree.get("resourceType", "Bundle") != "Bundle":
            target = "referral"  # one resource comes back whole from its own format
        made = convert_tree(tree, packs=preferred, source=source, target=target)
        assert made == found.result, f"{file.name}: it is not converted as it is explained"
        yield found, {leaf.path for leaf in format_.leaves(tree)}


def accounted(file: Path, target: str) -> int:
    """The number of leaves of a file; fails unless each is carried or lost, and none is both."""
    parts = 0
    for found, leaves in explained(file, target):
        carried = {each.path for each in found.mapped}
        lost = [each.path for each in found.lost]
        assert found.parts == len(leaves) == len(carried) + len(lost)
        assert carried | set(lost) == leaves
        assert not carried & set(lost)
        assert len(set(lost)) == len(lost)
        assert all(each.why for each in found.lost)
        parts += found.parts
    return parts


@pytest.mark.parametrize("file", CASES, ids=lambda each: f"{each.parent.parent.name}-{each.name}")
def test_every_leaf_of_a_case_is_carried_or_lost(file: Path) -> None:
    assert accounted(file, "referral") > 0


@pytest.mark.parametrize(
    "file", [each for each in CASES if each.suffix == ".hl7"], ids=lambda each: each.name
)
def test_every_leaf_of_a_message_is_carried_or_lost_all_the_way_to_fhir(file: Path) -> None:
    assert accounted(file, "fhir") > 0


@pytest.mark.parametrize("file", SAMPLES, ids=lambda each: each.name)
def test_every_leaf_of_a_plugins_sample_is_carried_or_lost(file: Path) -> None:
    assert accounted(file, "fhir") > 0


@pytest.mark.skipif(not MESSAGES, reason="the shared samples are not at hand")
def test_every_leaf_of_the_shared_messages_is_carried_or_lost() -> None:
    counts = {file.name: accounted(file, "fhir") for file in MESSAGES}
    print(f"{len(counts)} shared files read, {sum(counts.values())} leaves")
    assert all(counts.values())


def test_there_are_cases_of_every_pack() -> None:
    packs = {each.parent.parent.name for each in CASES}
    assert packs == {"hl7v2_ref", "hl7v2_360x", "fhir_r4", "sdohcc", "csv_referral"}
    assert len(CASES) >= 40
