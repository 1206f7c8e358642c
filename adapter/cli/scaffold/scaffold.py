"""`adapter plugins new`: a plugin's folder, written from templates that lie in this package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from adapter.cli.scaffold.auth import conformance_of, toml_of
from adapter.plugin.hookspecs import ENTRY_POINTS

_NAME = re.compile(r"[a-z][a-z0-9-]{0,28}[a-z0-9]")
_OFFERED = {
    "rest": {2: "a JSON API"},
    "files": {2: "folders"},
    "hl7v2": {1: "a mapping pack; the plugin hl7v2 speaks MLLP"},
    "fhir": {0: "a file of quirks", 1: "and a mapping pack", 2: "and Python"},
}
_STANDS_ON = {"fhir": "fhir", "hl7v2": "hl7v2"}
_QUIRKS = "What is different there is in `@PACKAGE@/quirks.toml`"
_PACK = (
    "What its resources hold otherwise is in\n`@PACKAGE@/mappings/@NAME@`; "
    "docs/reference/mapping-tables.md explains every row."
)
_WHERE = {
    0: f"{_QUIRKS}; there is no code.",
    1: f"{_QUIRKS}. {_PACK}",
    2: f"What is different there is in `@PACKAGE@/system.py`. {_PACK}",
}


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
            **(self._fhir_words if self.transport == "fhir" else {}),
        }

    @property
    def _fhir_words(self) -> dict[str, str]:
        where = _WHERE[self.level].replace("@PACKAGE@", self.package).replace("@NAME@", self.name)
        dialect = f'dialect = "{self.name}"\n' if self.level else ""
        return {"@WHERE@": where, "@DIALECT_LINE@": dialect, "@SETTINGS@": _settings("fhir")}


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
    levels = _OFFERED[choice.transport]
    if choice.level not in levels:
        offered = "; ".join(
            f"{transport}: " + ", ".join(f"{level} ({what})" for level, what in each.items())
            for transport, each in _OFFERED.items()
        )
        raise NotOffered(f"the levels offered are, for {offered}")
    base = _STANDS_ON.get(choice.transport)
    if base is not None and not _is_installed(base):
        raise NotOffered(
            f"--transport {choice.transport} stands on the plugin {base}, which is not installed"
        )
    if choice.transport not in ("rest", "fhir") and choice.auth != "none":
        raise NotOffered(f"{choice.transport} has no --auth; TLS of hl7v2 is a setting of the site")


def _is_installed(plugin: str) -> bool:
    return bool(metadata.entry_points(group=ENTRY_POINTS, name=plugin))


def _settings(base: str) -> str:
    """The settings of the system that a plugin stands on, as rows of its README."""
    from adapter.exchange.plugins import load_plugins

    fields = load_plugins({base}).system(base).Config.model_fields
    return "\n".join(
        f"| `{name}` | {(field.description or '').replace('|', 'or')} |"
        for name, field in fields.items()
    )


def _plan(choice: Choice) -> list[tuple[str, str]]:
    """Where each file goes, and the template that it comes from."""
    package, pack = choice.package, f"{choice.package}/mappings/{choice.name}"
    own = choice.transport
    plan = [
        (
            "pyproject.toml",
            f"{own}/pyproject.toml.txt" if own in _STANDS_ON else "pyproject.toml.txt",
        ),
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
    if own == "fhir":
        return [*plan, *_fhir_plan(choice.level, package, pack)]
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


def _fhir_plan(level: int, package: str, pack: str) -> list[tuple[str, str]]:
    plan = [
        (f"{package}/__init__.py", f"fhir/__init__{level}.py.txt"),
        (f"{package}/conformance.toml", "fhir/conformance.toml"),
        (f"{package}/samples/request.json", "fhir/samples-request.json"),
    ]
    if level < 2:
        plan.append((f"{package}/quirks.toml", "fhir/quirks.toml"))
    else:
        plan.append((f"{package}/system.py", "fhir/system.py.txt"))
    if level:
        plan.append((f"{pack}/pack.toml", "fhir/pack.toml"))
        plan.append((f"{pack}/bundle.map.yaml", "fhir/bundle.map.yaml"))
    return plan


def _filled(template: str, choice: Choice) -> str:
    file = resources.files("adapter.cli.scaffold").joinpath("templates", *template.split("/"))
    text = file.read_text("utf-8")
    for word, value in choice.words.items():
        text = text.replace(word, value)
    return text
