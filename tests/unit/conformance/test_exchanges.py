"""Failures show what was asked and answered, and never what it was about or the secrets."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "mutants"))

from wrong import with_system
from wrong_endpoint import ENDPOINT_MUTANTS, TOKEN, right

from adapter.plugin import Delivered, Outbound
from adapter_conformance.endpoint.client import Bearer, Client
from adapter_conformance.endpoint.endpoint import Endpoint
from adapter_conformance.endpoint.run import examine_endpoint
from adapter_conformance.exchanges import address, http_request, http_response, redacted, shape
from adapter_conformance.planted import FAMILY, GIVEN, NUMBER, PEER_TEXT, PERSON, PHONE, SECRET
from adapter_conformance.report import as_document, as_junit, as_page
from adapter_conformance.run import Outcome, examine
from adapter_reference.system import Reference

MARKERS = (*PERSON, PEER_TEXT, SECRET, TOKEN)


class Leaks(Reference):
    """Puts the person into address, header and body, and takes a refusal for success."""

    async def deliver(self, message: Outbound) -> Delivered:
        await self.context.http.post(
            f"messages/{FAMILY}/{NUMBER}",
            params={"name": GIVEN, "key": message.id},
            content=message.body,
            headers={"X-Patient": FAMILY, "Content-Type": "application/json"},
            idempotent=True,
        )
        return await super().deliver(message)


def endpoint_outcome(requirement: str) -> Outcome:
    """The kit against the wrong server of a requirement; that requirement alone."""
    server = right(ENDPOINT_MUTANTS[requirement])
    road = httpx.ASGITransport(server.app, raise_app_exceptions=False)
    auth = Bearer(server.base, TOKEN)
    client = Client(server.base, auth=auth, secrets=(TOKEN,), road=road)
    return examine_endpoint(Endpoint("intermediary", client), only=(requirement,))


def everything(outcome: Outcome) -> str:
    """All reports of an outcome, as text."""
    document = json.dumps(as_document(outcome), ensure_ascii=False)
    return "\n".join((document, as_page(outcome), as_junit(outcome)))


def test_a_plugin_s_failure_shows_its_exchanges_without_the_person_or_the_secret() -> None:
    outcome = examine(with_system(Leaks), only=("idempotency.one-effect", "privacy.addresses"))

    failed = [each for each in outcome.results if each.word == "fail"]
    assert failed
    shown = [each for result in failed for each in result.exchanges]
    assert any(each.request.line.startswith("POST /api/messages/…/…?") for each in shown)
    text = everything(outcome)
    assert "HTTP 201" in text
    assert not [marker for marker in MARKERS if marker in text]


@pytest.mark.parametrize(
    "requirement", ["read.what-was-written", "privacy.errors", "privacy.addresses", "errors.no-5xx"]
)
def test_an_endpoint_s_failure_shows_its_exchanges_without_the_person_or_the_token(
    requirement: str,
) -> None:
    outcome = endpoint_outcome(requirement)

    row = next(e for e in as_document(outcome)["requirements"] if e["id"] == requirement)
    assert row["result"] == "fail"
    assert row["exchanges"][-1]["request"]["line"]
    assert row["exchanges"][-1]["response"]["line"].startswith("HTTP ")
    assert "request and response, redacted" in as_page(outcome)
    assert not [marker for marker in MARKERS if marker in everything(outcome)]


def test_what_passes_shows_nothing() -> None:
    outcome = endpoint_outcome("flow.request-closed")

    passed = [e for e in as_document(outcome)["requirements"] if e["result"] == "pass"]
    assert passed
    assert not any("exchanges" in each for each in passed)


def test_a_body_keeps_names_and_what_happened_and_loses_values() -> None:
    body = {
        "resourceType": "Task",
        "status": "rejected",
        "statusReason": {"text": "she moved"},
        "code": {"coding": [{"code": "Z60.2"}]},
        "for": {"reference": "Patient/1"},
        "birthDate": "1950-01-01",
        "count": 3,
    }
    assert redacted(body) == {
        "resourceType": "Task",
        "status": "rejected",
        "statusReason": {"text": "…"},
        "code": {"coding": [{"code": "…"}]},
        "for": {"reference": "Patient/1"},
        "birthDate": "…",
        "count": "…",
    }
    issue = {"severity": "error", "code": "invalid", "diagnostics": "of Ann"}
    assert redacted(issue) == {"severity": "error", "code": "invalid", "diagnostics": "…"}


def test_an_authorization_header_and_an_own_header_lose_their_values() -> None:
    headers = {"Authorization": "Basic abc", "X-Key": "abc", "If-Match": 'W/"2"'}
    said = http_request("PUT", "https://ehr.example/Task/1", headers, b"").headers
    assert said == {"authorization": "…", "x-key": "…", "if-match": 'W/"2"'}


def test_an_address_keeps_words_and_plain_ids_and_loses_what_was_asked_for() -> None:
    url = f"https://ehr.example/Patient/ann.lee@x?name={FAMILY}&_count=2&phone={PHONE}"
    assert address(url) == "/Patient/…?name=…&_count=2&phone=…"
    assert http_response(404, {}, b"not JSON").body == "8 bytes that are no JSON"


def test_a_v2_message_is_shown_as_its_segments_and_codes() -> None:
    raw = f"MSH|^~\\&|A|B|C|D|20260101||REF^I12|1|P|2.5.1\rPID|||1||{FAMILY}^{GIVEN}\r".encode()
    assert shape(raw) == f"REF^I12 (MSH PID; {len(raw)} bytes)"
    assert shape(b"\x0bMSH|^~\\&|A|B|C|D|1||ACK|1|P|2.5.1\rMSA|AE|1|" + FAMILY.encode()) == (
        "ACK AE (MSH MSA; 57 bytes)"
    )
    assert shape(b"From: x") == "7 bytes"
