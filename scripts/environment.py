"""Make or bring up to date `.venv/`: pinned packages, the tools, and our distributions, editable.

Every third-party package is installed from requirements/development.txt by name, version and hash;
nothing is built and nothing else is fetched. A stamp of the inputs makes a second run a no-op.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import time
from pathlib import Path

from system_package import ensure_package

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "inputs.sha256"
PINS = ROOT / "requirements" / "development.txt"


def distributions() -> list[Path]:
    return [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]


def fingerprint() -> str:
    """One hash of everything that decides what is in the environment."""
    digest = hashlib.sha256(f"{sys.base_prefix} {sys.version}".encode())
    files = [Path(__file__), PINS, *(folder / "pyproject.toml" for folder in distributions())]
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    digest.update(str(ROOT).encode())
    return digest.hexdigest()


def say(text: str) -> None:
    print(f"env: {text}", flush=True)


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, check=False)
    if done.returncode:
        say(f"this failed: {' '.join(str(part) for part in command)}")
        sys.exit(done.returncode)


def made_by_this_python() -> bool:
    """Whether `.venv/` is there and runs on the Python that runs this."""
    if not PYTHON.exists():
        return False
    ask = (PYTHON, "-c", "import sys; print(sys.base_prefix, sys.version)")
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    return done.stdout.strip() == f"{sys.base_prefix} {sys.version}".strip()


def make_venv() -> None:
    if made_by_this_python():
        return
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        ensure_package(version, "Python's venv module, to make .venv/")
    say(f"making .venv/ with {sys.executable}")
    run(sys.executable, "-m", "venv", "--clear", VENV)


def install() -> None:
    count = sum(1 for line in PINS.read_text("utf-8").splitlines() if "==" in line)
    say(f"installing up to {count} pinned packages, each checked by its hash (about a minute)")
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
    run(*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", PINS)
    ours = [part for folder in distributions() for part in ("--editable", str(folder))]
    say(f"installing our {len(distributions())} distributions, editable")
    run(*pip, "--no-build-isolation", *ours)


def main() -> None:
    wanted = fingerprint()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text("utf-8") == wanted:
        say(".venv/ is up to date")
        return
    started = time.monotonic()
    STAMP.unlink(missing_ok=True)
    make_venv()
    if subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode:
        run(PYTHON, "-m", "ensurepip")
    install()
    STAMP.write_text(wanted, "utf-8")
    say(f".venv/ is ready after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
