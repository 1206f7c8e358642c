"""Install a system package where it is missing, where we may; else say the command and stop.

Run as a script: `python scripts/system_package.py chromium "the browser tests" chromium ...`, where
the names after the reason are programs, or patterns of their paths, any of which makes the package
unnecessary.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def ensure_package(package: str, reason: str) -> None:
    """Install one Debian package, or print how to and exit with 1."""
    command = ["apt-get", "install", "--yes", "--no-install-recommends", package]
    print(f"The package {package} is missing; it is needed for {reason}.", flush=True)
    prefix = _right_to_install()
    if prefix is None:
        print("Install it with this command, then run make again:", file=sys.stderr)
        print(f"    sudo {' '.join(command)}", file=sys.stderr)
        sys.exit(1)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update", "--quiet"], command):
        print(f"Running: {' '.join([*prefix, *step])}", flush=True)
        code = subprocess.run([*prefix, *step], env=environment, check=False).returncode
    if code:
        print(f"apt-get could not install {package}.", file=sys.stderr)
        sys.exit(1)


def _right_to_install() -> list[str] | None:
    """How to run apt-get: directly, through sudo without a password, or not at all."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asked = subprocess.run(["sudo", "--non-interactive", "true"], capture_output=True, check=False)
    return ["sudo", "--non-interactive"] if asked.returncode == 0 else None


if __name__ == "__main__":
    name, why, *programs = sys.argv[1:]
    if not any(shutil.which(each) or any(Path("/").glob(each.lstrip("/"))) for each in programs):
        ensure_package(name, why)
