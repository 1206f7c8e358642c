"""`adapter plugins new`: a plugin's folder, written from templates that lie in this package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from adapter.cli.scaffold.auth import (
    conformance_of,
    mllp_conformance_of,
    mllp_toml_of,
    toml_of,
)
from adapter.cli.scaffold.transports import TRANSPORTS, Transport
from adapter.plugin import durable_files
from adapter.plugin.hookspecs import ENTRY_POINTS

_NAME = re.compile(r"[a-z][a-z0-9-]{0,28}[a-z0-9]")
_QUIRKS = "What is different there is in `@PACKAGE@/quirks.toml`"
_PACK = (
    "What its messages hold otherwise is in\n`@PACKAGE@/mappings/@NAME@`; "
    "docs/reference/mapping-tables.md explains every row."
)
_DIRECTORY = (
    "\n\nThe peer can be a directory, too: with `directory = true` in the site's table its "
    "programs,\nand how much room they have, are asked for (`GET programs`)."
)
_WHERE = {
    0: f"{_QUIRKS}; there is no code.",
    1: f"{_QUIRKS}. {_PACK}",
    2: f"What is different there is in `@PACKAGE@/system.py`. {_PACK}",
}


class NotOffered(ValueError):  # noqa: N818 - an answer to what was asked for
    """A choice that cannot be written; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was asked for."""

    name: str
    level: int = 2
    transport: str = "rest"
    auth: str = "none"
    directory: bool = False

    @property
    def lists(self) -> bool:
        """Whether code of its own asks for programs: what stands on a plugin that does, does so."""
        return self.directory and self.transport == "rest" and not self.way.stands(self.level)

    @property
    def package(self) -> str:
        """The import name."""
        return "adapter_" + self.name.replace("-", "_")

    @property
    def way(self) -> Transport:
        """What the transport offers."""
        return TRANSPORTS[self.transport]

    @property
    def scheme(self) -> str:
        """How we prove who we are there: what was asked for, where the transport has it."""
        return self.auth if self.auth in self.way.auths else "none"

    @property
    def note(self) -> str:
        """Why what was asked for was written without credentials; empty if it was not."""
        if self.directory and not (self._can_list or self.transport == "fhir"):
            return f"{self.transport} has no --directory: no such peer lists programs."
        if self.scheme == self.auth:
            return ""
        return f"{self.transport} has no --auth {self.auth}: {self.way.why}."

    @property
    def title(self) -> str:
        """The name of its class."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    @property
    def _can_list(self) -> bool:
        return self.lists or (self.transport == "rest" and self.way.stands(self.level))

    @property
    def words(self) -> dict[str, str]:
        """What stands in the templates."""
        stands, plugin = self.way.stands(self.level), self.way.plugin
        required = (f"social-prescribing-adapter-{plugin}",) if stands else self.way.requires
        mllp = self.transport == "hl7v2"
        return {
            "@WHERE@": _WHERE[self.level],
            "@MODULE@": f"directory:{self.title}Directory"
            if self.lists
            else f"system:{self.title}",
            "@PROGRAMS@": _template("rest/programs.toml") if self.lists else "",
            "@DIRECTORY_NOTE@": _DIRECTORY if self._can_list else "",
            "@NAME@": self.name,
            "@PACKAGE@": self.package,
            "@CLASS@": self.title,
            "@DISTRIBUTION@": f"social-prescribing-adapter-{self.name}",
            "@BASE@": self.way.system,
            "@KIND@": self.way.kind,
            "@KIND_THERE@": self.way.there,
            "@DEPENDENCIES@": ", ".join(f'"{each}"' for each in required),
            "@FIRST_PARTY@": f'"adapter_{plugin}", ' if stands else "",
            "@ENABLED@": f'"{plugin}", "{self.name}"' if stands else f'"{self.name}"',
            "@DIALECT_LINE@": f'dialect = "{self.name}"\n' if self.level and stands else "",
            "@SETTINGS@": _settings(self.way) if stands else _own_settings(self.transport),
            "@AUTH_NOTE@": f"\n{self.note}\n" if self.note else "",
            "@AUTH_TOML@": (mllp_toml_of if mllp else toml_of)(self.scheme, self.name),
            "@AUTH_CONFORMANCE@": (mllp_conformance_of if mllp else conformance_of)(self.scheme),
            "@MLLP_PEER@": "mllp-tls" if self.scheme == "mtls" else "mllp",
        }


def write(choice: Choice, folder: Path) -> list[Path]:
    """Write ``folder/NAME/``; the files, in order.

    Raises:
        NotOffered: the name cannot be used, the folder is there already, or the plugin that it
            would stand on is not installed.
    """
    _check(choice)
    target = folder / choice.name
    if target.exists():
        raise NotOffered(f"{target} is there already; choose another name or remove it")
    words, written = choice.words, []
    for place, template in _plan(choice):
        file = target / place
        durable_files.make_folder(file.parent)
        text = _filled(_template(template), words)
        if place.endswith(".hl7"):
            text = text.replace("\n", "\r")  # segments end so (HL7 v2.9, 2.5.1)
        durable_files.write(file, text.encode())
        written.append(file)
    return sorted(written)


def _check(choice: Choice) -> None:
    if not _NAME.fullmatch(choice.name):
        raise NotOffered("a name has lower-case letters, digits and hyphens, for example acme-emr")
    plugin = choice.way.plugin
    if choice.way.stands(choice.level) and not _is_installed(plugin):
        raise NotOffered(
            f"--transport {choice.transport} at level {choice.level} stands on the "
            f"plugin {plugin}, which is not installed"
        )


def _is_installed(plugin: str) -> bool:
    return bool(metadata.entry_points(group=ENTRY_POINTS, name=plugin))


def _settings(way: Transport) -> str:
    """The settings of the system that a plugin stands on, as rows of its README."""
    from adapter.exchange.plugins import load_plugins

    fields = load_plugins({way.plugin}).system(way.system).Config.model_fields
    return "\n".join(
        f"| `{name}` | {(field.description or '').replace('|', 'or')} |"
        for name, field in fields.items()
    )


def _own_settings(transport: str) -> str:
    return _template(f"{transport}/settings.md").rstrip("\n")


def _plan(choice: Choice) -> list[tuple[str, str]]:
    """Where each file goes, and the template that it comes from."""
    package, own = choice.package, choice.transport
    plan = [
        ("pyproject.toml", "pyproject.toml.txt"),
        ("README.md", f"{own}/README.md"),
        (f"{package}/py.typed", "empty.txt"),
        ("tests/test_conformance.py", "test_conformance.py.txt"),
        (f"{package}/conformance.toml", f"{own}/conformance.toml"),
        *_samples(own, package),
    ]
    if choice.lists:
        plan += [
            (f"{package}/directory.py", "rest/directory.py.txt"),
            (f"{package}/samples/program.json", "rest/samples-program.json"),
            (f"{package}/samples/program-silent.json", "rest/samples-program-silent.json"),
        ]
    if not choice.way.stands(choice.level):
        return [*plan, *_code_of_its_own(choice)]
    plan.append((f"{package}/__init__.py", f"adapted/__init__{choice.level}.py.txt"))
    if choice.level == 2:
        plan.append((f"{package}/system.py", f"{own}/system.py.txt"))
    else:
        plan.append((f"{package}/quirks.toml", f"{own}/quirks.toml"))
    return [*plan, *(_dialect(choice) if choice.level else ())]


def _samples(own: str, package: str) -> list[tuple[str, str]]:
    if own in ("fhir", "hl7v2"):
        name = "request." + ("json" if own == "fhir" else "hl7")
        return [(f"{package}/samples/{name}", f"{own}/samples-{name}")]
    return [
        (f"{package}/samples/{name}.json", f"rest/samples-{name}.json")
        for name in ("request", "answer", "outcome")
    ]


def _dialect(choice: Choice) -> list[tuple[str, str]]:
    """The pack of a plugin that stands on another's: its maps inherit."""
    pack = f"{choice.package}/mappings/{choice.name}"
    if choice.transport == "fhir":
        return [(f"{pack}/{name}", f"fhir/{name}") for name in ("pack.toml", "bundle.map.yaml")]
    if choice.transport == "hl7v2":
        return [(f"{pack}/{name}", f"hl7v2/{name}") for name in ("pack.toml", "referral.map.yaml")]
    return [
        (f"{pack}/pack.toml", "rest/dialect-pack.toml"),
        (f"{pack}/messages.map.yaml", "rest/dialect.map.yaml"),
    ]


def _code_of_its_own(choice: Choice) -> list[tuple[str, str]]:
    """Level 2 of a transport that has no system to inherit from: all of it is the plugin's."""
    package, own = choice.package, choice.transport
    pack = f"{package}/mappings/{choice.name}"
    modules = {"rest": ("config", "door", "system"), "files": ("config", "folder", "system")}[own]
    return [
        *((f"{package}/{name}.py", f"{own}/{name}.py.txt") for name in modules),
        *((f"{package}/{name}.py", f"rest/{name}.py.txt") for name in ("__init__", "format")),
        (f"{pack}/pack.toml", "rest/pack.toml"),
        (f"{pack}/messages.map.yaml", "rest/messages.map.yaml"),
        (f"{pack}/codes/status.csv", "rest/status.csv"),
    ]


def _template(name: str) -> str:
    file = resources.files("adapter.cli.scaffold").joinpath("templates", *name.split("/"))
    return file.read_text("utf-8")


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text
