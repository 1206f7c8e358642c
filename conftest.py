"""Rules for every test of every distribution: no network, and loopback only where it is asked for.

pytest-socket blocks sockets by default (see `addopts` in pyproject.toml). A test marked `network`
or `browser` may reach this machine and nothing else.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

LOOPBACK = ["127.0.0.1", "::1", "localhost"]

# Neither a loaded machine nor a cold start makes a claim untrue: speed is measured by `make bench`.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open loopback to the tests that say that they need it."""
    for item in items:
        if item.get_closest_marker("network") or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
