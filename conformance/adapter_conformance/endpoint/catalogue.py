"""The requirements of an endpoint."""

from __future__ import annotations

from adapter_conformance.requirement import Catalogue, Requirement

ENDPOINT = Catalogue("adapter_conformance.endpoint")
check = ENDPOINT.check


def endpoint_requirements(role: str = "") -> tuple[Requirement, ...]:
    """What is asked of an endpoint in a role; in any role, where none is given."""
    return tuple(
        each for each in ENDPOINT.requirements if not role or not each.roles or role in each.roles
    )
