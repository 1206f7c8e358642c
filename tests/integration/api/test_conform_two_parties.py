"""The kit's endpoint mode against our own API with registered clients, one for each party."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapter.cli.main import main
from adapter_conformance.endpoint.people import NAMED
from tests.integration.api.test_smart_serve import Served, client, run

pytestmark = pytest.mark.network
OF_A_ROLE = {
    "target": ("flow.direct", "read.what-was-written"),
    "source": ("flow.light", "flow.claimed-once", "search.unclaimed"),
    "intermediary": ("security.closed", "search.by-owner", "flow.light", "indirect.rolls-up"),
}
"""What is asked of each, with what it needs; a whole run of a role takes a minute."""


@dataclass(frozen=True)
class Service:
    base: str
    folder: Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`adapter serve` with the kit's two organizations among its clients."""
    home = tmp_path_factory.mktemp("parties")
    run(home, "init", "site", "--example", "loop")
    folder = home / "site"
    file = folder / "adapter.toml"
    lines = file.read_text("utf-8").splitlines()
    smart = ['auth = "smart"' if each.startswith("auth =") else each for each in lines]
    file.write_text("\n".join(smart) + "\n", "utf-8")
    for name, organization in NAMED.items():
        identity, key = client(folder, name, organization)
        (folder / f"{name}.jwk").write_text(json.dumps(key.as_dict(private=True)))
        (folder / f"{name}.toml").write_text(
            f'type = "smart"\nclient_id = "{identity}"\nkey = "file:{name}.jwk"\n'
            'scope = "system/*.crus"\n'
        )
    served = Served(folder)
    try:
        yield Service(served.start(), folder)
    finally:
        served.stop()


def conform(service: Service, role: str, *more: str) -> int:
    parties = ["--auth", str(service.folder / "clinic.toml")]
    parties += ["--other-auth", str(service.folder / "agency.toml")]
    with pytest.raises(SystemExit) as end:
        main(["conform", "--endpoint", service.base, "--role", role, *parties, "--json", *more])
    return end.value.code if isinstance(end.value.code, int) else 0


@pytest.mark.parametrize("role", sorted(OF_A_ROLE))
def test_two_organizations_with_their_own_tokens_pass_the_flows_of_a_role(
    role: str, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = OF_A_ROLE[role]
    code = conform(service, role, *(word for each in wanted for word in ("--only", each)))

    found = json.loads(capsys.readouterr().out)["requirements"]
    assert [row for row in found if row["result"] != "pass"] == []
    assert code == 0
    assert set(wanted) <= {row["id"] for row in found}


def test_a_server_that_fetches_from_known_servers_alone_is_not_held_to_fetch_from_the_kit(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    code = conform(service, "target", "--only", "flow.direct-request-elsewhere")

    row = json.loads(capsys.readouterr().out)["requirements"][0]
    assert (code, row["result"]) == (0, "not-run")
    assert "servers that it knows" in row["detail"]
