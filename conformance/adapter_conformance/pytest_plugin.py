"""`pytest --pyargs adapter_conformance --plugin NAME`: the kit, as tests of pytest."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which plugin, and where the report goes."""
    group = parser.getgroup("conformance")
    group.addoption("--plugin", metavar="NAME", help="the installed plugin to examine")
    group.addoption(
        "--conformance-report", metavar="FILE", help="write .json, .xml (JUnit) or .html"
    )


@pytest.fixture(scope="session")
def plugin_name(pytestconfig: pytest.Config) -> str:
    """The plugin; a vendor's own test file may override this fixture."""
    name: str | None = pytestconfig.getoption("--plugin", default=None)
    if name is None:
        pytest.skip("say which plugin: --plugin NAME")
    return name
