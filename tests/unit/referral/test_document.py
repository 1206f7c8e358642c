"""The model as canonical JSON, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from adapter.referral.document import DocumentError, from_document, to_document, written_before
from adapter.referral.model import (
    Coding,
    Concept,
    Envelope,
    Fulfilment,
    HumanName,
    Need,
    Person,
    Referral,
    ReferralEvent,
)

EVENT = ReferralEvent(
    kind="request",
    envelope=Envelope(id="M1", type="REF^I12"),
    referral=Referral(
        id="1",
        status="active",
        test=False,
        subject=Person(name=HumanName(family="Example", given=("Ada", "Synthetic"))),
        needs=(Need(code=Concept(codings=(Coding(code="x"),), text="lonely")), Need()),
    ),
    fulfilments=(Fulfilment(id="2", status="requested"),),
)


def test_what_is_written_reads_back_equal() -> None:
    document = to_document(EVENT)
    assert from_document(ReferralEvent, orjson.loads(orjson.dumps(document))) == EVENT


def test_nothing_empty_is_written_but_false_is_a_value() -> None:
    document = to_document(EVENT)
    assert document["referral"]["test"] is False
    assert document["referral"].keys() == {"id", "status", "test", "subject", "needs"}
    assert to_document(Referral(subject=Person())) == {}


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ([], "", "expected an object"),
        ({}, "", "missing kind"),
        ({"kind": "request", "colour": 1}, "", "unknown key 'colour'"),
        ({"kind": 7}, "kind", "expected str"),
        ({"kind": "request", "referral": None}, "referral", "not null"),
        ({"kind": "request", "referral": {"test": "yes"}}, "referral.test", "expected bool"),
        ({"kind": "request", "referral": {"needs": {}}}, "referral.needs", "expected an array"),
        (
            {"kind": "request", "referral": {"needs": [{}, {"code": {"text": True}}]}},
            "referral.needs[1].code.text",
            "expected str",
        ),
        (
            {"kind": "request", "referral": {"subject": {"name": {"given": ["A", 1]}}}},
            "referral.subject.name.given",
            "expected an array of strings",
        ),
    ],
)
def test_a_document_of_another_shape_is_refused_with_the_place(
    document: Any, path: str, words: str
) -> None:
    with pytest.raises(DocumentError) as refused:
        from_document(ReferralEvent, document)
    assert refused.value.path == path
    assert words in str(refused.value)


def test_a_refusal_never_repeats_the_value() -> None:
    with pytest.raises(DocumentError) as refused:
        from_document(ReferralEvent, {"kind": "request", "referral": {"needs": "MARKER"}})
    assert "MARKER" not in str(refused.value)


def test_what_was_written_before_is_not_made_again_until_it_changes() -> None:
    stored = orjson.loads(orjson.dumps(to_document(EVENT.referral)))
    referral = written_before(stored)
    assert to_document(referral) is stored
    changed = replace(referral, priority="stat")
    assert to_document(changed) == {**stored, "priority": "stat"}
    assert to_document(referral) == stored


def test_a_stored_referral_of_another_shape_is_refused() -> None:
    with pytest.raises(DocumentError, match="priority"):
        written_before({"priority": 3})
