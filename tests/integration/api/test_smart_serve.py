"""`adapter serve` with registered clients: a loop by tokens, and events that a kill spares."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from adapter.cli.main import app
from adapter.exchange.subscription_terms import BACKPORT, TOPICS
from tests.unit.api import people, records

pytestmark = pytest.mark.network
Json = dict[str, Any]
ADAPTER = [sys.executable, "-m", "adapter.cli"]
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def run(folder: Path, *words: str) -> str:
    """What a command prints; in this process, for a new one takes seconds."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


class Served:
    """The program itself, which may be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> str:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*ADAPTER, "serve", "--json"],
                cwd=self.folder, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self.process.stdout is not None
        said: Json = json.loads(self.process.stdout.readline())
        base: str = said["fhir"]
        return base

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._close()

    def stop(self) -> None:
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self._close()
        assert code == 0

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


class Hook:
    """A subscriber's own server; while `deaf` it answers 503."""

    def __init__(self) -> None:
        self.deaf = False
        self.bodies: list[Json] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if not hook.deaf:
                    hook.bodies.append(json.loads(body))
                self.send_response(503 if hook.deaf else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return None

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def numbers(self) -> list[str]:
        return [
            part["valueString"]
            for body in self.bodies
            for each in body["entry"][0]["resource"]["parameter"]
            if each["name"] == "notification-event"
            for part in each["part"]
            if part["name"] == "event-number"
        ]

    def wait_for(self, count: int) -> None:
        until = time.monotonic() + 30
        while len(self.bodies) < count:
            assert time.monotonic() < until, f"{len(self.bodies)} of {count}"
            time.sleep(0.05)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def client(folder: Path, name: str, party: str) -> tuple[str, ECKey]:
    """A client that was registered by the command."""
    key = ECKey.generate_key("P-384", {"kid": name})
    keys = {"keys": [key.as_dict(private=False)]}
    (folder / f"{name}.jwks").write_text(json.dumps(keys))
    words = ["--organization", party, "--jwks", f"{name}.jwks", "--scope", "system/*.crus"]
    return run(folder, "clients", "add", name, *words), key


def entered(base: str, identity: str, key: ECKey) -> httpx.Client:
    """An HTTP client with a token, found by discovery."""
    found = httpx.get(f"{base}/.well-known/smart-configuration").json()["token_endpoint"]
    now = int(time.time())
    claims = {"iss": identity, "sub": identity, "aud": found, "exp": now + 200}
    signed = jwt.encode(
        {"alg": "ES384", "kid": key.kid},
        claims | {"jti": str(uuid.uuid4())},
        key,
        algorithms=["ES384"],
    )
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE}
    answer = httpx.post(found, data=form | {"client_assertion": signed})
    assert answer.status_code == 200, answer.text
    held = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return httpx.Client(base_url=base, headers=held, timeout=20)


def subscription(url: str) -> Json:
    content = {"url": f"{BACKPORT}/backport-payload-content", "valueCode": "id-only"}
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "synthetic",
        "criteria": next(iter(TOPICS)),
        "channel": {
            "type": "rest-hook",
            "endpoint": url,
            "payload": "application/fhir+json",
            "_payload": {"extension": [content]},
        },
    }


def put(http: httpx.Client, task: Json, **changes: Any) -> Json:
    answer = http.put(f"/Task/{task['id']}", json=task | changes)
    assert answer.status_code == 200, answer.text
    made: Json = answer.json()
    return made


def test_two_organizations_close_a_loop_by_tokens_and_a_kill_loses_no_event(
    tmp_path: Path, hook: Hook
) -> None:
    folder = tmp_path / "site"
    run(tmp_path, "init", "site", "--example", "loop")
    file = folder / "adapter.toml"
    text = file.read_text()
    lines = ['auth = "smart"' if each.startswith("auth =") else each for each in text.splitlines()]
    file.write_text("\n".join(lines) + "\n")
    clinic, club = client(folder, "clinic", "Test clinic"), client(folder, "club", "Test club")
    served = Served(folder)
    base = served.start()
    clients = contextlib.ExitStack()

    def enter(identity: str, key: ECKey) -> httpx.Client:
        return clients.enter_context(entered(base, identity, key))

    try:
        port = base.rpartition(":")[2].partition("/")[0]
        file.write_text(file.read_text().replace("port = 0 ", f"port = {port} ", 1))
        assert httpx.get(f"{base}/Task").status_code == 401
        source, target = enter(*clinic), enter(*club)
        assert source.post("/Subscription", json=subscription(hook.url)).status_code == 201
        hook.wait_for(1)
        person = source.post("/Patient", json=people.patient()).json()
        subject = f"Patient/{person['id']}"
        asked = source.post("/ServiceRequest", json=records.request(subject, "S")).json()
        task = records.task(f"ServiceRequest/{asked['id']}", subject, "S", "Test club")
        made = source.post("/Task", json=task)
        assert made.status_code == 201, made.text
        hook.wait_for(2)
        mine = target.get("/Task", params={"status": "requested"}).json()["entry"]
        assert [each["resource"]["id"] for each in mine] == [made.json()["id"]]
        hook.deaf = True
        task = put(target, mine[0]["resource"], status="accepted")
        task = put(target, task, status="in-progress")
        served.kill()
        hook.deaf = False
        assert served.start() == base
        target = enter(*club)
        hook.wait_for(3)
        put(target, task, status="completed", output=[people.summary()])
        hook.wait_for(4)
        assert list(dict.fromkeys(hook.numbers())) == ["1", "2", "3", "4"]
        source = enter(*clinic)
        assert source.get(f"/ServiceRequest/{asked['id']}").json()["status"] == "completed"
        run(folder, "clients", "disable", "club")
        assert target.get("/Task").status_code == 401
    finally:
        clients.close()
        served.stop()
