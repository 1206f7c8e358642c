"""`adapter plugins new`: a plugin's folder, written from templates that lie in this package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from adapter.cli.scaffold.auth import conformance_of, toml_of

_NAME = re.compile(r"[a-z][a-z0-9-]{0,28}[a-z0-9]")
_OFFERED = {("rest", 2), ("files", 2), ("hl7v2", 1)}


class NotOffered(ValueError):  # noqa: N818 - an answer to what was asked for
    """A choice that this version does not write; the text says which ones it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was asked for."""

    name: str
    level: int = 2
    transport: str = "rest"
    auth: str = "none"

    @property
    def package(self) -> str:
        """The import name."""
        return "adapter_" + self.name.replace("-", "_")

    @property
    def words(self) -> dict[str, str]:
        """What stands in the templates."""
        return {
            "@NAME@": self.name,
            "@PACKAGE@": self.package,
            "@CLASS@": "".join(part.capitalize() for part in self.name.split("-")),
            "@DISTRIBUTION@": f"social-prescribing-adapter-{self.name}",
            "@AUTH_TOML@": toml_of(self.auth, self.name),
            "@AUTH_CONFORMANCE@": conformance_of(self.auth),
        }


def write(choice: Choice, folder: Path) -> list[Path]:
    """Write ``folder/NAME/``; the files, in order.

    Raises:
        NotOffered: the name cannot be used, the folder is there already, or this combination is not
            offered.
    """
    _check(choice)
    target = folder / choice.name
    if target.exists():
        raise NotOffered(f"{target} is there already; choose another name or remove it")
    written = []
    for place, template in _plan(choice):
        file = target / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_filled(template, choice), "utf-8")
        written.append(file)
    return sorted(written)


def _check(choice: Choice) -> None:
    if not _NAME.fullmatch(choice.name):
        raise NotOffered("a name has lower-case letters, digits and hyphens, for example acme-emr")
    if choice.transport == "fhir" or choice.level == 0:
        raise NotOffered(
            "level 0 and --transport fhir stand on a generic FHIR plugin, which is not installed"
        )
    if (choice.transport, choice.level) not in _OFFERED:
        raise NotOffered(
            "offered are: --level 2 with rest or files, --level 1 with hl7v2 (its plugin speaks "
            "MLLP already; what differs is a mapping pack)"
        )
    if choice.transport != "rest" and choice.auth != "none":
        raise NotOffered(f"{choice.transport} has no --auth; TLS of hl7v2 is a setting of the site")


def _plan(choice: Choice) -> list[tuple[str, str]]:
    """Where each file goes, and the template that it comes from."""
    package, pack = choice.package, f"{choice.package}/mappings/{choice.name}"
    own = choice.transport
    plan = [
        ("pyproject.toml", "pyproject.toml.txt" if own != "hl7v2" else "hl7v2/pyproject.toml.txt"),
        ("README.md", f"{own}/README.md"),
        (f"{package}/py.typed", "empty.txt"),
        ("tests/test_conformance.py", "test_conformance.py.txt"),
    ]
    if own == "hl7v2":
        return [
            *plan,
            (f"{package}/__init__.py", "hl7v2/__init__.py.txt"),
            (f"{pack}/pack.toml", "hl7v2/pack.toml"),
            (f"{pack}/referral.map.yaml", "hl7v2/referral.map.yaml"),
        ]
    modules = {
        "rest": {"config": own, "door": own, "system": own},
        "files": {"config": own, "folder": own, "system": own},
    }[own]
    plan += [(f"{package}/{name}.py", f"{at}/{name}.py.txt") for name, at in modules.items()]
    plan += [(f"{package}/{name}.py", f"rest/{name}.py.txt") for name in ("__init__", "format")]
    plan += [
        (f"{package}/samples/{name}.json", f"rest/samples-{name}.json")
        for name in ("request", "answer", "outcome")
    ]
    return [
        *plan,
        (f"{package}/conformance.toml", f"{own}/conformance.toml"),
        (f"{pack}/pack.toml", "rest/pack.toml"),
        (f"{pack}/messages.map.yaml", "rest/messages.map.yaml"),
        (f"{pack}/codes/status.csv", "rest/status.csv"),
    ]


def _filled(template: str, choice: Choice) -> str:
    file = resources.files("adapter.cli.scaffold").joinpath("templates", *template.split("/"))
    text = file.read_text("utf-8")
    for word, value in choice.words.items():
        text = text.replace(word, value)
    return text
