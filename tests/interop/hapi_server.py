"""Builds, starts, asks and stops the HAPI FHIR server in hapi/."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROJECT = HERE / "hapi"
BUILT = PROJECT / "target"
LOG = ROOT / "build" / "hapi.log"
SAID = ROOT / "build" / "hapi.out"
JVM = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
READY = re.compile(r"^READY (\d+)$", re.MULTILINE)
START_LIMIT = 420
"""Seconds until the server must answer."""

sys.path.insert(0, str(ROOT / "scripts"))
from system_package import ensure_package  # noqa: E402


def say(text: str) -> None:
    print(f"interop: {text}", flush=True)


def build() -> None:
    """Build the launcher with Maven, unless it is newer than its sources."""
    if shutil.which("javac") is None:
        ensure_package("openjdk-17-jdk-headless", "HAPI FHIR, the Java server we compare with")
    if shutil.which("mvn") is None:
        ensure_package("maven", "building the launcher of HAPI FHIR")
    jar = BUILT / "launcher.jar"
    sources = [file for file in PROJECT.rglob("*") if file.is_file() and BUILT not in file.parents]
    newest = max(file.stat().st_mtime for file in sources)
    if jar.exists() and (BUILT / "lib").is_dir() and jar.stat().st_mtime > newest:
        say("the launcher is up to date")
        return
    say("building the launcher (the first time it fetches 340 MB from Maven Central)")
    started = time.monotonic()
    done = subprocess.run(
        ["mvn", "--quiet", "--batch-mode", "--no-transfer-progress", "package"],
        cwd=PROJECT,
        check=False,
    )
    if done.returncode:
        say("Maven could not build the launcher")
        sys.exit(1)
    say(f"built in {time.monotonic() - started:.0f} s")


class HapiServer:
    """A running server; use it as a context manager, which stops it."""

    def __init__(self) -> None:
        LOG.parent.mkdir(exist_ok=True)
        self._log, self._said = LOG.open("w"), SAID.open("w")
        classpath = f"{BUILT / 'launcher.jar'}{os.pathsep}{BUILT / 'lib'}/*"
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["java", *JVM, "-cp", classpath, "example.Launcher"],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._log,
        )
        self.client = httpx.Client(timeout=120, trust_env=False)

    def __enter__(self) -> HapiServer:
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()
        self._said.close()

    def _wait(self) -> None:
        say("starting HAPI FHIR on loopback (about 20 s)")
        told = 0.0
        while (ready := READY.search(SAID.read_text())) is None:
            waited = time.monotonic() - self.started
            if self.process.poll() is not None or waited > START_LIMIT:
                say(f"the server did not start; its log: {LOG}")
                sys.exit(1)
            if waited - told >= 5:
                told = waited
                say(f"  {waited:.0f} s")
            time.sleep(0.2)
        self.base = f"http://127.0.0.1:{ready.group(1)}/fhir"
        metadata = self.client.get(f"{self.base}/metadata").json()
        version = metadata["software"]["version"]
        say(f"HAPI FHIR {version} answers after {time.monotonic() - self.started:.0f} s")

    def put(self, resource: dict[str, Any]) -> None:
        """Write a definition that later validations need."""
        path = f"{self.base}/{resource['resourceType']}/{resource['id']}"
        answer = self.client.put(path, json=resource, headers=HEADERS)
        if answer.status_code not in (200, 201):
            say(f"HAPI does not take {path}: {answer.status_code} {answer.text[:400]}")
            sys.exit(1)

    def validate(self, resource: Any) -> list[dict[str, Any]]:
        """Return the issues of $validate; a refused request counts as its OperationOutcome."""
        kind = resource.get("resourceType", "Basic") if isinstance(resource, dict) else "Basic"
        answer = self.client.post(f"{self.base}/{kind}/$validate", json=resource, headers=HEADERS)
        issues: list[dict[str, Any]] = answer.json().get("issue", [])
        if answer.status_code != 200 and not any(i["severity"] in FAILS for i in issues):
            issues.append({"severity": "fatal", "diagnostics": f"HTTP {answer.status_code}"})
        return issues


HEADERS = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
FAILS = ("error", "fatal")
