"""`pytest --pyargs adapter_conformance --plugin NAME`: the kit, as tests of pytest.

With ``--endpoint URL --role ROLE`` in place of the plugin, a live FHIR endpoint is examined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from adapter_conformance.endpoint.endpoint import Endpoint


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which plugin, and where the report goes."""
    group = parser.getgroup("conformance")
    group.addoption("--plugin", metavar="NAME", help="the installed plugin to examine")
    group.addoption("--endpoint", metavar="URL", help="a FHIR R4 endpoint to examine")
    group.addoption("--role", default="target", help="what it is: source, target, intermediary")
    group.addoption("--token", default="", help="where its token is: env:NAME or file:PATH")
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


@pytest.fixture(scope="session")
def endpoint(pytestconfig: pytest.Config) -> Endpoint:
    """The endpoint; a vendor's own test file may override this fixture."""
    url: str | None = pytestconfig.getoption("--endpoint", default=None)
    if url is None:
        pytest.skip("say which endpoint: --endpoint URL")
    from adapter_conformance.endpoint.reach import reach

    role, token = (pytestconfig.getoption(name) for name in ("--role", "--token"))
    return reach(url, role=role, token=token)
