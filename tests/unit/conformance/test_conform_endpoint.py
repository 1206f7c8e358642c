"""`adapter conform --endpoint`: what it prints and writes, how it ends, what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "mutants"))

from wrong_endpoint import ENDPOINT_MUTANTS, TOKEN, right

from adapter.cli.main import main
from adapter_conformance.fakes.fhir_server import FhirServer
from adapter_conformance.fakes.oauth2_server import Client, OAuth2Server
from adapter_conformance.fakes.serving import on_loopback
from adapter_conformance.planted import PERSON, SECRET

pytestmark = pytest.mark.network


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is where --token says."""
    monkeypatch.setenv("KIT_TOKEN", TOKEN)


@pytest.fixture
def strict() -> Iterator[FhirServer]:
    """A strict server on loopback."""
    server = right()
    with on_loopback(server.app) as server.address:
        yield server


def conform(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["conform", *arguments])
    code = end.value.code
    return code if isinstance(code, int) else 0


def test_a_good_endpoint_is_complete_and_is_left_as_it_was(
    strict: FhirServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    code = conform(
        *("--endpoint", strict.base, "--role", "target", "--token", "env:KIT_TOKEN"),
        *("--json", "--report", str(page)),
    )

    said = capsys.readouterr()
    found = json.loads(said.out)
    assert code == 0
    assert (found["endpoint"], found["role"], found["level"]) == (strict.base, "target", "Complete")
    assert set(found["requirements"][0]) == {"id", "group", "result", "detail"}
    assert "as target" in page.read_text("utf-8")
    left = [
        each for kind in ("Patient", "Task", "ServiceRequest") for each in strict.store.all(kind)
    ]
    assert left == []
    assert TOKEN not in said.out + said.err + page.read_text("utf-8")


def test_a_bad_endpoint_ends_with_1_and_shows_what_was_asked_and_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = right(ENDPOINT_MUTANTS["privacy.errors"])
    file = tmp_path / "report.json"
    with on_loopback(server.app) as server.address:
        code = conform(
            *("--endpoint", server.base, "--role", "source", "--token", "env:KIT_TOKEN"),
            *("--only", "privacy.errors", "--report", str(file)),
        )

    text = file.read_text("utf-8")
    failed = [each for each in json.loads(text)["requirements"] if each["result"] == "fail"]
    assert (code, [each["id"] for each in failed]) == (1, ["privacy.errors"])
    assert failed[0]["exchanges"][-1]["response"]["line"].startswith("HTTP 4")
    said = capsys.readouterr()
    everything = text + said.out + said.err
    assert not [each for each in (*PERSON, TOKEN) if each in everything]


def test_a_waiver_explains_and_is_no_pass(
    strict: FhirServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = conform(
        *("--endpoint", strict.base, "--token", "env:KIT_TOKEN", "--json"),
        *("--only", "update.stale-is-412", "--waive", "update.stale-is-412=their gateway: 409"),
    )

    found = json.loads(capsys.readouterr().out)
    rows = {each["id"]: each for each in found["requirements"]}
    assert set(rows) == {
        "update.new-version",
        "update.stale-changes-nothing",
        "update.stale-is-412",
    }
    waived = rows["update.stale-is-412"]
    assert (waived["result"], waived["detail"]) == ("waived", "their gateway: 409")
    assert (code, found["level"]) == (0, None)


def test_the_kit_signs_in_as_a_site_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = right()
    asked = OAuth2Server()
    server.guard = asked
    app = server.app
    app.routes.extend(asked.routes())
    with on_loopback(app) as server.address:
        asked.base = server.address
        asked.register(Client("kit", secret=SECRET))
        monkeypatch.setenv("KIT_SECRET", SECRET)
        file = tmp_path / "auth.toml"
        file.write_text(
            f'type = "oauth2"\ntoken_url = "{server.address}/oauth2/token"\n'
            'client_id = "kit"\nclient_secret = "env:KIT_SECRET"\n'
        )
        code = conform(
            *("--endpoint", server.base, "--auth", str(file), "--json"),
            *("--only", "security.closed", "--only", "flow.direct"),
        )

    said = capsys.readouterr()
    results = {each["id"]: each["result"] for each in json.loads(said.out)["requirements"]}
    assert (code, set(results.values())) == (0, {"pass"})
    assert {"security.closed", "flow.direct"} <= set(results)
    assert SECRET not in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("--endpoint", "http://127.0.0.1:9/fhir"), 5, "endpoint.unreachable"),
        (("--endpoint", "http://127.0.0.1:9/fhir", "--role", "boss"), 3, "endpoint.role"),
        (("--endpoint", "ftp://127.0.0.1/fhir"), 3, "endpoint.settings"),
        (("--endpoint", "http://127.0.0.1:9", "--token", "env:NO_SUCH"), 3, "endpoint.secret"),
        (("--endpoint", "http://127.0.0.1:9", "--auth", "none.toml"), 3, "endpoint.settings"),
        (("reference", "--endpoint", "http://127.0.0.1:9"), 2, "plugin"),
        ((), 2, "plugin"),
        (("--endpoint", "http://127.0.0.1:9", "--waive", "flow.light"), 2, "ID=REASON"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: tuple[str, ...], code: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conform(*arguments) == code
    assert word in capsys.readouterr().err


def test_the_same_runs_under_pytest(strict: FhirServer) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"),
            *("--pyargs", "adapter_conformance.test_endpoint", "--endpoint", strict.base),
            *("--role", "source", "--token", "env:KIT_TOKEN"),
        ],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout
    assert "58 passed" in done.stdout
