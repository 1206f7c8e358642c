"""Loading: what the loader says, and what the plugin's own source imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.resources.abc import Traversable

from adapter.exchange.abilities import undeclared
from adapter_conformance.requirement import Failed, NotRun, NotSupported, check
from adapter_conformance.subject import Subject

CODES = {
    "plugin.unknown-hook": "loads.hooks-known",
    "plugin.no-hooks": "loads.hooks-known",
    "plugin.wrong-type": "loads.results-typed",
    "plugin.not-a-system": "loads.results-typed",
    "plugin.api-version": "loads.api-version",
    "plugin.double": "loads.names-unique",
    "plugin.declares-what-it-lacks": "loads.abilities-agree",
}
"""Which requirement a failure to load is about; every other code is about `loads.imports`."""


def _judge(subject: Subject, requirement: str) -> None:
    """Fail if the plugin did not load for this reason; say nothing if it did for another."""
    code = subject.fault.code if subject.fault else subject.plugin.code
    said = subject.fault.message if subject.fault else subject.plugin.reason
    if not code:
        return
    if CODES.get(code, "loads.imports") == requirement:
        raise Failed(f"{said} [{code}]")
    raise NotRun("the plugin did not load")


@check("loads.imports")
async def imports(subject: Subject) -> None:
    """The loader found no error that is not one of the others'."""
    _judge(subject, "loads.imports")


@check("loads.hooks-known")
async def hooks_known(subject: Subject) -> None:
    """`check_pending` found nothing."""
    _judge(subject, "loads.hooks-known")


@check("loads.results-typed")
async def results_typed(subject: Subject) -> None:
    """Results are of their types, and the class is a System."""
    _judge(subject, "loads.results-typed")


@check("loads.api-version")
async def api_version(subject: Subject) -> None:
    """N or N-1."""
    _judge(subject, "loads.api-version")


@check("loads.names-unique")
async def names_unique(subject: Subject) -> None:
    """No name is taken."""
    _judge(subject, "loads.names-unique")


@check("loads.abilities-agree")
async def abilities_agree(subject: Subject) -> None:
    """Declared and implemented abilities are the same."""
    _judge(subject, "loads.abilities-agree")
    if subject.system is None:
        raise NotSupported("the plugin brings no system")
    lacking, silent = undeclared(subject.system)
    if lacking:
        raise Failed(f"it declares what it lacks: {', '.join(lacking)}")
    if silent:
        raise Failed(f"it implements what it does not declare: {', '.join(silent)}")


@check("loads.public-api-only")
async def public_api_only(subject: Subject) -> None:
    """No module of the package imports another room of the adapter."""
    if subject.package is None:
        raise NotRun("the plugin has no package whose source could be read")
    found = sorted(set(_foreign(subject.package)))
    if found:
        raise Failed(f"it imports {', '.join(found)}; public is adapter.plugin alone")


def _foreign(folder: Traversable) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _foreign(entry)
        elif entry.name.endswith(".py"):
            for name in _imported(ast.parse(entry.read_bytes())):
                room = name == "adapter" or name.startswith("adapter.")
                if room and name != "adapter.plugin" and not name.startswith("adapter.plugin."):
                    yield name


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "adapter":
                yield from (f"adapter.{alias.name}" for alias in node.names)
            else:
                yield node.module
