"""SMART Backend Services: who gets a token, and what a token opens."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from adapter.exchange.service import Service
from tests.unit.api import backend, people

pytestmark = pytest.mark.anyio


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_discovery_says_where_and_how(wire: httpx.AsyncClient) -> None:
    for address in (
        "/.well-known/smart-configuration",
        "http://adapter.example/.well-known/smart-configuration",
    ):
        said = (await wire.get(address)).json()
        assert said["token_endpoint"] == "http://adapter.example/token"
        assert said["token_endpoint_auth_signing_alg_values_supported"] == ["RS384", "ES384"]
    rest = (await wire.get("/metadata")).json()["rest"][0]
    assert rest["security"]["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"


@pytest.mark.parametrize("key", [backend.EC, backend.RSA], ids=["ES384", "RS384"])
async def test_a_signed_assertion_is_a_token_and_the_token_lets_in(
    wire: httpx.AsyncClient, guarded: Service, key: Any
) -> None:
    client = backend.registered(guarded, f"c-{key.kid}", "Clinic A", key=key)
    answer = await backend.asked(wire, backend.assertion(guarded, client, key=key))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert (said["token_type"], said["expires_in"]) == ("bearer", 300)
    found = await wire.get("/Patient", headers=bearer(said["access_token"]))
    assert found.status_code == 200


async def test_without_a_token_or_with_a_wrong_one_nobody_comes_in(
    wire: httpx.AsyncClient,
) -> None:
    for headers in ({}, bearer("wrong"), {"Authorization": "Basic QQ=="}):
        answer = await wire.get("/Patient", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["resourceType"] == "OperationOutcome"


WRONG: dict[str, dict[str, Any]] = {
    "expired": {"exp": 1},
    "too long": {"exp": 4_000_000_000},
    "no exp": {"exp": None},
    "no jti": {"jti": None},
    "another audience": {"aud": "https://elsewhere.example/token"},
    "no audience": {"aud": None},
    "another subject": {"sub": "somebody"},
    "unknown": {"iss": "nobody", "sub": "nobody"},
    "not yet": {"nbf": 4_000_000_000},
    "from the future": {"iat": 4_000_000_000},
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_assertion_is_refused_as_oauth_says(
    wire: httpx.AsyncClient, guarded: Service, case: str
) -> None:
    client = backend.registered(guarded, f"w-{case}", "Clinic A")
    answer = await backend.asked(wire, backend.assertion(guarded, client, **WRONG[case]))
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


async def test_another_key_under_the_same_id_is_refused(
    wire: httpx.AsyncClient, guarded: Service
) -> None:
    client = backend.registered(guarded, "other-key", "Clinic A")
    other = ECKey.generate_key("P-384", {"kid": "ec"})
    answer = await backend.asked(wire, backend.assertion(guarded, client, key=other))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_an_assertion_is_good_once_also_for_another_process(
    wire: httpx.AsyncClient, guarded: Service
) -> None:
    client = backend.registered(guarded, "replay", "Clinic A")
    signed = backend.assertion(guarded, client)
    assert (await backend.asked(wire, signed)).status_code == 200
    from adapter.api.app import build_app  # another process has nothing in common but the store

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=build_app(guarded))) as other:
        again = await backend.asked(other, signed)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "secret"}, "invalid_request"),
        ({"client_assertion": "x.y"}, "invalid_client"),
        ({"scope": "system/Patient.cruds"}, "invalid_scope"),
        ({"scope": "patient/Task.r"}, "invalid_scope"),
        ({"scope": "system/Task.rs?status=requested"}, "invalid_scope"),
    ],
)
async def test_a_wrong_request_says_which_error_it_is(
    wire: httpx.AsyncClient, guarded: Service, changes: dict[str, str], error: str
) -> None:
    client = backend.registered(guarded, f"r-{error}-{changes}", "Clinic A", "system/Task.rs")
    answer = await backend.asked(wire, backend.assertion(guarded, client), **changes)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] == error


async def test_a_token_does_what_its_scopes_say_and_no_more(
    wire: httpx.AsyncClient, guarded: Service
) -> None:
    client = backend.registered(guarded, "scoped", "Clinic S", "system/Patient.crs")
    whole = bearer(await backend.token(wire, guarded, client))
    made = await wire.post("/Patient", json=people.patient("P-S"), headers=whole)
    assert made.status_code == 201
    place = f"/Patient/{made.json()['id']}"
    assert (await wire.put(place, json=made.json(), headers=whole)).status_code == 403
    assert (await wire.get("/Task", headers=whole)).status_code == 403
    less = bearer(await backend.token(wire, guarded, client, "system/Patient.r"))
    assert (await wire.get(place, headers=less)).status_code == 200
    assert (await wire.get("/Patient", headers=less)).status_code == 403
    refused = await wire.post("/Patient", json=people.patient("P-S2"), headers=less)
    assert refused.json()["issue"][0]["expression"] == ["http.authorization"]


async def test_a_disabled_client_is_out_at_once(wire: httpx.AsyncClient, guarded: Service) -> None:
    client = backend.registered(guarded, "leaver", "Clinic A")
    held = bearer(await backend.token(wire, guarded, client))
    assert (await wire.get("/Patient", headers=held)).status_code == 200
    guarded.store.write_now(lambda tx: tx.clients.disable(client))
    assert (await wire.get("/Patient", headers=held)).status_code == 401
    again = await backend.asked(wire, backend.assertion(guarded, client))
    assert again.status_code == 401


async def test_every_look_is_in_the_audit_with_who_it_was(
    wire: httpx.AsyncClient, guarded: Service
) -> None:
    client = backend.registered(guarded, "looker", "Clinic L")
    held = bearer(await backend.token(wire, guarded, client))
    made = (await wire.post("/Patient", json=people.patient("P-L"), headers=held)).json()
    before = len(await guarded.store.read(lambda tx: tx.audit.list()))
    await wire.get(f"/Patient/{made['id']}", headers=held)
    await wire.get("/Patient", params={"identifier": "P-L"}, headers=held)
    await wire.get(f"/Patient/{made['id']}/_history", headers=held)
    after = await guarded.store.read(lambda tx: tx.audit.list())
    assert len(after) == before + 3
    assert all("Clinic L" in str(each.event) for each in after[before:])
