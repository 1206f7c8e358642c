"""Rules on Bundle entries that R4 states in prose (https://hl7.org/fhir/R4/bundle.html)."""

from __future__ import annotations

import re
from typing import Any

_VERBS_WITH_RESOURCE = ("POST", "PUT")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_REST = re.compile(r"/[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}\Z")


# In these the server makes the identity, or the response tells it.
UNNAMED = frozenset({"batch", "transaction", "batch-response", "transaction-response"})


def entry_fault(entry: Any, bundle_type: Any) -> tuple[str, str, str] | None:
    """Say (child, rule, text) of what is wrong with an entry's fullUrl, id or request, or None."""
    resource = entry.get("resource")
    if type(resource) is not dict:
        return _request_fault(entry)
    return _identity_fault(entry, resource, bundle_type) or _request_fault(entry)


def _identity_fault(entry: Any, resource: Any, bundle_type: Any) -> tuple[str, str, str] | None:
    url, kind, name = entry.get("fullUrl"), resource.get("resourceType"), resource.get("id")
    if url is None:
        if bundle_type in tuple(UNNAMED):
            return None
        return "fullUrl", "full-url", "an entry needs a fullUrl, the identity of its resource"
    if bundle_type == "searchset" and name is None and kind != "OperationOutcome":
        return "resource.id", "search-id", "a resource that a search found needs its id"
    if type(url) is not str or url.startswith("urn:"):
        return None
    if not _ABSOLUTE.match(url):
        return "fullUrl", "full-url", "must be an absolute URL or urn:uuid:"
    if name is None:
        if _REST.search(url):
            text = "a fullUrl that ends in a type and an id needs a resource with that id"
            return "fullUrl", "full-url", text
        return None
    request = entry.get("request")
    verb = request.get("method") if type(request) is dict else None
    if verb == "POST" or url.endswith(f"/{kind}/{name}"):
        return None
    if _REST.search(url):
        return "fullUrl", "full-url", "must end with the type and id of the entry's resource"
    return None  # an address that is not RESTful names no id that could disagree (bdl-8 is apart)


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
