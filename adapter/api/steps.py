"""One entry of a batch or transaction: what it asks (FHIR R4 3.1.0.11.1)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from adapter.api.body import check_resource
from adapter.api.faults import Refused, refused
from adapter.api.patches import Patch, fhirpath_patch, json_patch
from adapter.fhir.safe_json import UnsafeJson, loads
from adapter.store.resources import ResourceRow

Json = dict[str, Any]
METHODS = ("POST", "PUT", "PATCH", "GET")
"""In the order in which a transaction does them; PUT and PATCH are never of one resource."""


@dataclass(slots=True)
class Step:
    """One entry: where it stands, what it asks, and the id that it gets or has."""

    index: int
    method: str
    url: str
    content: Json
    full_url: str
    if_none_exist: str | None
    if_match: str | None
    identity: str = ""
    found: ResourceRow | None = None

    @property
    def address(self) -> str:
        """Type and id of what it writes."""
        return f"{self.url.partition('/')[0]}/{self.identity}"

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"Bundle.entry[{self.index}]"

    @property
    def kind(self) -> str:
        """The resource type of its address."""
        return self.url.partition("?")[0].partition("/")[0]

    @property
    def query(self) -> str:
        """The search of its address."""
        return self.url.partition("?")[2]

    def patch(self) -> Patch:
        """The change of a PATCH: FHIRPath Patch in Parameters, or JSON Patch in a Binary.

        Raises:
            Refused: 400 or 422, it is neither.
        """
        kind = self.content.get("resourceType")
        if kind == "Parameters":
            check_resource(self.content)
            return fhirpath_patch(self.content)
        if kind != "Binary":
            raise refused(400, "a PATCH has Parameters, or a Binary with a JSON Patch", kind or "")
        try:
            data = base64.b64decode(str(self.content.get("data", "")), validate=True)
            return json_patch(loads(data))
        except (binascii.Error, ValueError) as error:
            if isinstance(error, UnsafeJson):
                raise Refused(400, [error.issue]) from None
            raise refused(400, "data is not base64", "Binary.data", code="value") from None


def step_of(entry: Any, index: int, base: str) -> Step:
    """Read an entry; an address below `base` is taken as a relative one.

    Raises:
        Refused: 400 or 405, it cannot be understood, or is not done here.
    """
    at = f"Bundle.entry[{index}]"
    asked = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(asked, dict) or not isinstance(asked.get("url"), str):
        raise refused(400, "an entry needs request.method and request.url", f"{at}.request")
    method, url = asked.get("method"), asked["url"]
    if method not in METHODS:
        raise refused(
            405, "POST, PUT, PATCH and GET can be done in a Bundle", f"{at}.request.method"
        )
    content = entry.get("resource")
    if method != "GET" and not isinstance(content, dict):
        raise refused(400, "the entry needs a resource", f"{at}.resource", code="required")
    for name in ("ifNoneExist", "ifMatch"):
        if not isinstance(asked.get(name, ""), str):
            raise refused(400, "a text is needed", f"{at}.request.{name}")
    full_url = entry.get("fullUrl", "")
    return Step(
        index=index,
        method=method,
        url=url.removeprefix(f"{base}/").lstrip("/"),
        content=content if isinstance(content, dict) and method != "GET" else {},
        full_url=full_url if isinstance(full_url, str) else "",
        if_none_exist=asked.get("ifNoneExist"),
        if_match=asked.get("ifMatch"),
    )


def check_apart(steps: list[Step]) -> None:
    """Refuse a transaction that writes a resource twice (FHIR R4 3.1.0.11.2)."""
    seen: set[str] = set()
    for step in steps:
        if step.method in ("PUT", "PATCH"):
            if step.url in seen:
                raise refused(400, "a resource is written once", f"{step.place}.request.url")
            seen.add(step.url)
