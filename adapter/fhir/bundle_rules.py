"""Rules on Bundle entries that R4 states in prose (https://hl7.org/fhir/R4/bundle.html)."""

from __future__ import annotations

import re
from typing import Any

_VERBS_WITH_RESOURCE = ("POST", "PUT")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


# In these the server makes the identity, or the response tells it.
UNNAMED = frozenset({"batch", "transaction", "batch-response", "transaction-response"})


def full_url_fault(entry: Any, bundle_type: Any) -> tuple[str, str, str] | None:
    """Say (child, rule, text) when fullUrl is missing, not absolute or disagrees with the id."""
    url, resource = entry.get("fullUrl"), entry.get("resource")
    if url is None and resource is not None and bundle_type not in tuple(UNNAMED):
        return "fullUrl", "full-url", "an entry needs a fullUrl, the identity of its resource"
    if type(url) is not str or url.startswith("urn:"):
        return _request_fault(entry)
    if not _ABSOLUTE.match(url):
        return "fullUrl", "full-url", "must be an absolute URL or urn:uuid:"
    if type(resource) is dict and type(name := resource.get("id")) is str:
        request = entry.get("request")
        verb = request.get("method") if type(request) is dict else None
        if verb != "POST" and not url.endswith(f"/{resource.get('resourceType')}/{name}"):
            return "fullUrl", "full-url", "must end with the type and id of the entry's resource"
    return _request_fault(entry)


def _request_fault(entry: Any) -> tuple[str, str, str] | None:
    request = entry.get("request")
    if type(request) is not dict:
        return None
    verb, resource = request.get("method"), entry.get("resource")
    if verb in _VERBS_WITH_RESOURCE and resource is None and "response" not in entry:
        return "resource", "request", f"an entry to {verb} needs its resource"
    if verb == "POST" and type(resource) is dict and type(url := request.get("url")) is str:
        kind = resource.get("resourceType")
        if url.partition("?")[0].strip("/") not in (kind, "") and "$" not in url:
            return "request.url", "request", "a POST goes to the type of its resource"
    return None
