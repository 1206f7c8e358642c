"""A resource that we write claims only profiles that it keeps to (meta.profile).

Mapping tables state the claim, and whether it holds depends on what the referral says; so it is
looked at when the Bundle is complete, and a claim that does not hold is taken back.
"""

from __future__ import annotations

from typing import Any

Resource = dict[str, Any]


def keep_true_claims(resource: Resource) -> None:
    """Take away the claims of a resource that our checks do not confirm, in place.

    A profile that is not at hand is not confirmed.
    """
    meta = resource.get("meta")
    if not meta or "profile" not in meta:
        return
    from adapter.fhir.conformance import profile_issues
    from adapter.fhir.known import shipped

    claimed = meta.pop("profile")
    bare = {key: value for key, value in resource.items() if key != "meta"}
    true = [each for each in claimed if not profile_issues(bare, [each], shipped())]
    if true:
        meta["profile"] = true
    elif not meta:
        del resource["meta"]
