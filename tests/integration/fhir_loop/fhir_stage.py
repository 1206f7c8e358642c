"""The real service in processes of its own, between FHIR servers that a test gives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from adapter.security.keyring import Keyring

Json = dict[str, Any]
FHIR = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
HEAD = """
organization = "{name}"
[store]
url = "sqlite:///adapter.sqlite3"
key = "file:adapter.key"
[server]
host = "127.0.0.1"
port = 0
auth = "open"
[plugins]
enabled = ["fhir"]
[routing]
programs = "programs.toml"
send = "best"
"""
SITE = """
[sites.{name}]
system = "fhir"
role = "{role}"
organization = "{organization}"
test = true
poll_seconds = {poll}
[sites.{name}.settings]
base_url = "{base}"
"""
PROGRAM = """
[[program]]
id = "walking-group"
name_en = "Neighbourhood walking group"
name_fr = "Groupe de marche du quartier"
organization = "Test agency"
site = "{site}"
needs = ["social-connection", "Z60.2"]
languages = ["en", "fr"]
"""


class Server:
    """A FHIR server over HTTP, as its own staff would use it."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._client = httpx.Client(timeout=60, trust_env=False, headers=FHIR)

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, place: str, body: Json | None = None, **headers: str) -> Json:
        response = self._client.request(
            method,
            f"{self.base}/{place}" if place else self.base,
            content=json.dumps(body) if body is not None else None,
            headers=headers,
        )
        if response.status_code >= 300:
            raise AssertionError(f"{method} {place}: {response.status_code} {response.text[:800]}")
        found: Json = response.json() if response.content else {}
        return found

    def put(self, resource: Json) -> Json:
        return self.ask("PUT", f"{resource['resourceType']}/{resource['id']}", resource)

    def found(self, place: str) -> list[Json]:
        bundle = self.ask("GET", place)
        return [each["resource"] for each in bundle.get("entry", ())]

    def transaction(self, bundle: Json) -> dict[str, str]:
        """``Type/id`` of each created resource, by its type."""
        answer = self.ask("POST", "", bundle)
        places = [each["response"]["location"] for each in answer["entry"]]
        plain = ["/".join(each.partition("/_history")[0].split("/")[-2:]) for each in places]
        return {each.partition("/")[0]: each for each in plain}

    def move(self, place: str, status: str, **more: Any) -> Json:
        """Set the status of a Task, on top of what it is."""
        task = self.ask("GET", place)
        return self.ask("PUT", place, {**task, "status": status, **more})


class Adapter:
    """One service with its sites."""

    def __init__(
        self,
        folder: Path,
        name: str,
        sites: Mapping[str, Mapping[str, str]],
        *,
        routed: str = "",
        allow: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        (folder / "adapter.key").write_text(Keyring.generate().to_text())
        (folder / "programs.toml").write_text(PROGRAM.format(site=routed) if routed else "")
        lines = HEAD.format(name=name)
        for site, said in sites.items():
            known = ("role", "base", "organization", "poll")
            lines += SITE.format(
                name=site,
                role=said["role"],
                organization=said.get("organization", "Test organization"),
                base=said["base"],
                poll=said.get("poll", "1"),
            )
            lines += "".join(
                f"{key} = {_toml(value)}\n" for key, value in said.items() if key not in known
            )
            if allow:
                lines += f"[sites.{site}.settings.http]\nallow = {json.dumps(list(allow))}\n"
        (folder / "adapter.toml").write_text(lines)
        self._log = (folder / "service.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "adapter.cli", "serve", "--config", "adapter.toml", "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise AssertionError((folder / "service.log").read_text()[-3000:])
        self.ready: Json = json.loads(line)
        self.fhir = Server(self.ready["fhir"])

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._log.close()
        if hasattr(self, "fhir"):
            self.fhir.close()

    def log(self) -> str:
        return (self.folder / "service.log").read_text()


def _toml(value: str) -> str:
    return value if value in ("true", "false") or value.isdigit() else json.dumps(value)


def until(what: str, ask: Callable[[], Any], patience: float = 90.0) -> Any:
    """What `ask` gives, as soon as it gives anything; AssertionError if it never does."""
    end = time.monotonic() + patience
    while True:
        found = ask()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"within {patience:.0f} s did not happen: {what}")
        time.sleep(0.2)
