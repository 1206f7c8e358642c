"""The loop with each vendor's server: what it cannot do is done in another way, and said."""

from __future__ import annotations

import base64
from importlib.resources import files

import pytest
from world import OUTCOME, US, World, answered

from adapter.exchange.installed_plugins import Plugins
from adapter.exchange.system_class import system_class
from adapter.plugin import ConfigError, PluginError, SystemSpec
from adapter_fhir import register_systems
from adapter_fhir.quirks import quirks_from, vendor_quirks

pytestmark = pytest.mark.anyio
VENDORS = sorted(
    each.name.removesuffix(".toml") for each in (files("adapter_fhir") / "quirks").iterdir()
)


def test_every_vendor_that_the_guide_names_has_its_quirks() -> None:
    assert VENDORS == ["athena", "epic", "hapi", "medplum", "openmrs", "oracle"]
    for name in VENDORS:
        assert vendor_quirks(name).vendor


def test_a_quirk_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="colour"):
        quirks_from({"colour": "blue"}, "acme")
    with pytest.raises(ConfigError):
        vendor_quirks("nobody")


async def closed(here: World, *, task: bool) -> None:
    """A referral is taken, accepted and completed."""
    read = here.read((await here.polled())[0])
    assert read.event.kind == "request"
    await here.system.deliver(answered(read, "accepted"))
    if task:
        assert here.one("Task")["status"] == "accepted"
    await here.system.deliver(answered(read, "completed", outcome=OUTCOME))
    await here.system.deliver(answered(read, "completed", outcome=OUTCOME))


@pytest.mark.parametrize("vendor", ["hapi", "medplum"])
async def test_where_everything_works_the_outcome_is_in_the_task(world, vendor) -> None:
    here = world(vendor, vendor=vendor, us=US)
    here.referral()

    await closed(here, task=True)

    assert here.one("Task")["status"] == "completed"
    assert here.one("Procedure")["code"]["text"] == "Walked with the Tuesday group"


async def test_epic_gets_its_own_task_updated_and_one_document(world) -> None:
    here = world("epic", vendor="epic", us=US)
    here.referral()

    await closed(here, task=True)

    assert here.one("Task")["status"] == "completed"
    document = here.one("DocumentReference")
    words = base64.b64decode(document["content"][0]["attachment"]["data"]).decode()
    assert "Walked with the Tuesday group" in words
    assert "Eight walks, two new friends." in words
    assert document["subject"]["reference"] == "Patient/p1"
    assert here.all("Procedure") == []


async def test_oracle_without_tasks_is_asked_for_requests_and_gets_a_document(world) -> None:
    here = world("oracle", vendor="oracle", search={"patient": "p1"})
    here.referral()

    await closed(here, task=False)

    document = here.one("DocumentReference")
    assert document["context"]["related"][0]["reference"] == "ServiceRequest/r1"
    assert await here.polled() == []


async def test_athena_is_searched_by_practice_and_gets_a_questionnaire_response(world) -> None:
    here = world("athena", vendor="athena", search={"ah-practice": "Organization/1"})
    here.referral()

    await closed(here, task=False)

    response = here.one("QuestionnaireResponse")
    said = [each["answer"][0]["valueString"] for each in response["item"]]
    assert "Walked with the Tuesday group" in said
    assert response["status"] == "completed"


async def test_openmrs_drops_elements_so_they_are_said_in_notes_by_json_patch(world) -> None:
    here = world("openmrs", vendor="openmrs", us=US)
    here.referral()
    read = here.read((await here.polled())[0])

    await here.system.deliver(answered(read, "accepted"))
    await here.system.deliver(answered(read, "on-hold", reason="waiting for a place"))

    task = here.one("Task")
    assert task["status"] == "on-hold"
    assert "statusReason" not in task
    assert [each["text"] for each in task["note"]] == ["waiting for a place"]
    assert {each.method for each in here.server.requests} == {"GET", "PATCH"}


async def test_what_openmrs_cannot_store_is_said_in_words_not_dropped(world) -> None:
    here = world("openmrs", vendor="openmrs", us=US)
    here.referral()

    await closed(here, task=True)

    task = here.one("Task")
    assert task["status"] == "completed"
    assert "Walked with the Tuesday group" in [each["text"] for each in task["note"]]
    summary = [each.get("valueString") for each in task["output"]]
    assert "Eight walks, two new friends." in summary


# -- level 0 ------------------------------------------------------------------------------------

ACME = """
vendor = "Acme EMR"
task = "update-only"
outcome = "document"
conditional = false
transaction = false
"""


def installed(tmp_path, quirks: str, base: str = "fhir") -> tuple[Plugins, SystemSpec]:
    (tmp_path / "quirks.toml").write_text(quirks)
    spec = SystemSpec(
        name="acme", base=base, quirks=tmp_path / "quirks.toml", summary="Acme EMR, over FHIR"
    )
    systems = {each.name: each for each in (*register_systems(), spec)}
    return Plugins(loaded=(), systems=systems, formats={}, functions={}), spec


async def test_a_level_0_plugin_of_one_file_closes_a_loop(world, tmp_path) -> None:
    plugins, _ = installed(tmp_path, ACME)
    here = world("epic", system=plugins.system("acme"), us=US)
    here.referral()

    await closed(here, task=True)

    assert here.system.name == "acme"
    assert here.one("Task")["status"] == "completed"
    assert here.one("DocumentReference")["status"] == "current"


def test_a_level_0_plugin_leaves_the_generic_system_as_it_was(tmp_path) -> None:
    plugins, _ = installed(tmp_path, ACME)

    acme, generic = plugins.system("acme"), plugins.system("fhir")

    assert acme.quirks.task == "update-only"
    assert generic.quirks.task == "full"
    assert acme.capabilities == generic.capabilities


@pytest.mark.parametrize(
    ("quirks", "base", "code"),
    [
        ("colour = 1", "fhir", "plugin.quirks"),
        ("not toml", "fhir", "plugin.quirks"),
        (ACME, "nowhere", "plugin.no-base"),
    ],
)
def test_a_level_0_plugin_that_is_wrong_is_named(tmp_path, quirks, base, code) -> None:
    plugins, _ = installed(tmp_path, quirks, base)

    with pytest.raises(PluginError) as caught:
        plugins.system("acme")

    assert caught.value.code == code


def test_the_generic_system_is_found_by_its_place() -> None:
    (spec,) = register_systems()

    assert system_class(spec).name == "fhir"
