"""Write a plugin for every combination that `adapter plugins new` offers, and examine each.

All are generated, built and installed into a folder of their own (without a network: nothing is
resolved, nothing is fetched), then checked by ruff, mypy --strict and the conformance kit.

    python tests/scaffolds/run.py [FOLDER]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from adapter.cli.scaffold.scaffold import Choice, write

AUTHS = ("none", "basic", "api-key", "oauth2", "smart", "oauth1", "mtls")
CHOICES = (
    *(Choice(name=f"try-rest-{auth}", auth=auth) for auth in AUTHS),
    Choice(name="try-files", transport="files"),
    Choice(name="try-hl7v2", transport="hl7v2", level=1),
)


def run(*command: str, cwd: Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(site)} if site else None
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=env, capture_output=True, text=True
    )


def install(folder: Path, choices: tuple[Choice, ...] = CHOICES) -> Path:
    """Generate, build and install; the folder that they are installed in."""
    for choice in choices:
        write(choice, folder)
    site = folder / "site"
    done = run(
        "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
        "--disable-pip-version-check", "--target", str(site),
        *(str(folder / choice.name) for choice in choices), cwd=folder,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return site


def problems(folder: Path, site: Path, choices: tuple[Choice, ...] = CHOICES) -> list[str]:
    """What ruff, mypy and the kit find; empty if everything is as it should be."""
    found = []
    for check in (("check",), ("format", "--check")):
        done = run("ruff", *check, *(choice.name for choice in choices), cwd=folder)
        if done.returncode:
            found.append(f"ruff {check[0]}: {done.stdout}")
    packages = [part for choice in choices for part in ("-p", choice.package)]
    done = run("mypy", "--strict", *packages, cwd=folder, site=site)
    if done.returncode:
        found.append(f"mypy: {done.stdout}{done.stderr}")
    for choice in choices:
        done = run("adapter.cli", "conform", choice.name, "--json", cwd=folder, site=site)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            found.append(f"{choice.name}: {done.stderr}")
            continue
        failed = [row for row in report["requirements"] if row["result"] == "fail"]
        if failed or report["level"] != "Complete":
            found.append(f"{choice.name}: {report['level']} {failed}")
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else made)
        found = problems(folder, install(folder))
    for each in found:
        print(each)
    print(f"{len(CHOICES)} plugins written and examined, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
