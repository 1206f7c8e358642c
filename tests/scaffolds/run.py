"""Write a plugin for every combination that `adapter plugins new` offers, and examine each.

All are generated, built and installed by pip into one folder of their own (without a network:
nothing is resolved, nothing is fetched), then checked by ruff, mypy --strict and the conformance
kit, which sees only what is installed there and in the environment.

    python tests/scaffolds/run.py [FOLDER]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from adapter.cli.scaffold.scaffold import Choice, write
from adapter.cli.scaffold.transports import AUTHS, TRANSPORTS

LEVELS = (0, 1, 2)
CHOICES = tuple(
    Choice(name=f"try-{transport}-{level}-{auth}", level=level, transport=transport, auth=auth)
    for transport, level, auth in product(TRANSPORTS, LEVELS, AUTHS)
)
CHOICES += (Choice(name="try-rest-2-directory", transport="rest", directory=True),)
"""Every combination; what asks a peer for programs by code of its own, once."""

_PAIRS = {
    ("fhir", 0, "oauth2"), ("fhir", 1, "smart"), ("fhir", 2, "oauth1"),
    ("rest", 0, "basic"), ("rest", 1, "mtls"), ("rest", 2, "api-key"),
    ("hl7v2", 0, "none"), ("hl7v2", 1, "mtls"), ("hl7v2", 2, "basic"),
    ("files", 0, "none"), ("files", 1, "smart"), ("files", 2, "none"),
}  # fmt: skip
PAIRWISE = tuple(
    each for each in CHOICES if each.directory or (each.transport, each.level, each.auth) in _PAIRS
)
"""Thirteen, in which each transport meets each level, and each scheme occurs; one lists as well."""

KIT = """
import sys
import json
from adapter_conformance.run import examine
from adapter_conformance.subject import installed
for name in sys.argv[1:]:
    outcome = examine(installed(name))
    failed = [f"{e.requirement.id}: {e.detail}" for e in outcome.results if e.word == "fail"]
    print(json.dumps({"name": name, "level": outcome.level, "failed": failed}), flush=True)
"""


def run(*command: str, cwd: Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(site)} if site else None
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=env, capture_output=True, text=True
    )


def install(folder: Path, choices: tuple[Choice, ...] = CHOICES) -> Path:
    """Generate, build and install; the folder that they are installed in."""
    for choice in choices:
        write(choice, folder)
    site = folder / "site"
    done = run(
        "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
        "--no-compile", "--disable-pip-version-check", "--target", str(site),
        *(str(folder / choice.name) for choice in choices), cwd=folder,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return site


def problems(folder: Path, site: Path, choices: tuple[Choice, ...] = CHOICES) -> list[str]:
    """What ruff, mypy and the kit find; empty if everything is as it should be."""
    found = []
    for check in (("check",), ("format", "--check")):
        done = run("-m", "ruff", *check, *(choice.name for choice in choices), cwd=folder)
        if done.returncode:
            found.append(f"ruff {check[0]}: {done.stdout}")
    packages = [part for choice in choices for part in ("-p", choice.package)]
    done = run("-m", "mypy", "--strict", *packages, cwd=folder, site=site)
    if done.returncode:
        found.append(f"mypy: {done.stdout}{done.stderr}")
    return found + kit(folder, site, choices)


def kit(folder: Path, site: Path, choices: tuple[Choice, ...]) -> list[str]:
    """What the kit finds: one process that examines one after the other."""
    done = run("-c", KIT, *(choice.name for choice in choices), cwd=folder, site=site)
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    found = [f"the kit: {done.stderr}"] if done.returncode else []
    for choice in choices:
        row = rows.get(choice.name)
        if row is None or row["failed"] or row["level"] != "Complete":
            found.append(f"{choice.name}: {row}")
    return found


def main() -> int:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else made)
        found = problems(folder, install(folder))
    for each in found:
        print(each)
    took = time.monotonic() - begun
    print(f"{len(CHOICES)} plugins written and examined, {len(found)} problems, {took:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
