"""`adapter referrals due` and `script` on a store: who is asked what, and when no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.cli import init
from adapter.cli.main import main
from adapter.exchange.config import load_config
from adapter.exchange.store_settings import store_url
from adapter.fhir.instruments import instrument
from adapter.fhir.schedule import standard
from adapter.security.keyring import Keyring
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.integration.store.work import ORGANIZATION, open_case

Run = Callable[..., Any]
ASKED = set(standard().points[0].instruments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration with an empty store."""
    made = tmp_path / "made"
    made.mkdir()
    init.write(made, example=True, answers_port=9, smtp_port=9)
    init.make_store(made / "adapter.toml")
    return made


@pytest.fixture
def store(folder: Path) -> Callable[..., Any]:
    """Do something in its store."""
    config = load_config(folder / "adapter.toml")

    def work(done: Callable[[Transaction], Any]) -> Any:
        opened = Store.open(store_url(config), Keyring.load(config.store.key, base=config.folder))
        try:
            return opened.write_now(done)
        finally:
            opened.close()

    return work


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; what it printed, after checking its exit code."""

    def call(*words: str, expect: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["referrals", *words, "--config", str(folder / "adapter.toml")])
        printed = capsys.readouterr()
        assert ended.value.code == expect, printed.err
        return printed.out

    return call


def _answer(name: str, day: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": instrument(name)["url"],
        "status": "completed",
        "authored": day,
        **more,
    }


def _put(tx: Transaction, kind: str, id_: str, content: dict[str, Any], **more: Any) -> None:
    content = {"resourceType": kind, **content}
    tx.resources.put(kind, id_, organization=ORGANIZATION, content=content, **more)


def test_what_was_answered_by_any_way_is_asked_no_more(store: Any, run: Run) -> None:
    document = {"referral": {"subject": {"language": "fr-CA"}}}
    referral = store(lambda tx: open_case(tx, document))
    other = store(open_case)
    today = store(lambda tx: tx.now()).date().isoformat()
    asked = {each["referral"]: each for each in json.loads(run("due", "--json"))}
    assert {each["instrument"] for each in asked[referral]["asking"]} == ASKED
    assert (asked[referral]["language"], asked[other]["language"]) == ("fr-CA", "en")

    def answer(tx: Transaction) -> None:
        patient, order = {"reference": "Patient/p"}, [{"reference": "ServiceRequest/s"}]
        _put(tx, "Patient", "p", {}, referral=referral)
        _put(tx, "ServiceRequest", "s", {"subject": patient}, referral=referral)
        _put(tx, "QuestionnaireResponse", "1", _answer("ons4", today), referral=referral)
        of_patient = _answer("loneliness-direct", today, subject=patient)
        _put(tx, "QuestionnaireResponse", "2", of_patient)
        skipped = _answer("self-rated-health", today, basedOn=order, status="stopped")
        _put(tx, "QuestionnaireResponse", "3", skipped)
        _put(
            tx, "QuestionnaireResponse", "4", _answer("community-belonging", "2020", basedOn=order)
        )

    store(answer)
    now = {each["referral"]: each for each in json.loads(run("due", "--json"))}
    left = {each["instrument"] for each in now[referral]["asking"]}
    assert left == {"self-rated-mental-health", "community-belonging"}
    assert {each["instrument"] for each in now[other]["asking"]} == ASKED
    whole = {each["referral"]: each for each in json.loads(run("due", "--all", "--json"))}
    stands = [each["state"] for each in whole[referral]["asking"] if each["month"] == 0]
    assert sorted(stands) == ["answered", "answered", "due", "due", "skipped"]
    text = run("script", referral)
    assert "La personne peut sauter" in text
    assert text.count("[ ] sautée") == 2
    assert "The person may skip" in run("script", referral, "--language", "en")


def test_the_day_decides_and_a_cancelled_referral_is_left_in_peace(store: Any, run: Run) -> None:
    referral = store(open_case)
    start = store(lambda tx: tx.now()).date()
    between = (start + timedelta(days=60)).isoformat()
    assert json.loads(run("due", "--on", between, "--json")) == []
    assert "Nobody" in run("due", "--on", between)
    opens = standard().points[1].window(start)[0].isoformat()
    assert json.loads(run("due", "--on", opens, "--json"))[0]["referral"] == referral
    run("script", referral[:8], "--on", between, expect=1)
    run("due", "--on", "tomorrow", expect=2)
    case = store(lambda tx: tx.cases.get(referral))
    assert case is not None
    store(
        lambda tx: tx.cases.save(
            referral,
            organization=ORGANIZATION,
            version=case.version,
            status="revoked",
            document=case.document,
        )
    )
    assert json.loads(run("due", "--json")) == []


def test_a_schedule_of_ones_own_is_used_or_refused(store: Any, run: Run, tmp_path: Path) -> None:
    store(open_case)
    own = tmp_path / "own.toml"
    own.write_text(
        '[schedule]\nname = "own"\n[[point]]\nmonth = 0\nopens = 0\ncloses = 9\n'
        'instruments = ["hunger-vital-sign"]\n'
    )
    asked = json.loads(run("due", "--schedule", str(own), "--json"))
    assert [each["instrument"] for each in asked[0]["asking"]] == ["hunger-vital-sign"]
    own.write_text('[schedule]\nname = "own"\n')
    run("due", "--schedule", str(own), expect=3)
    run("due", "--schedule", str(tmp_path / "absent.toml"), expect=2)
