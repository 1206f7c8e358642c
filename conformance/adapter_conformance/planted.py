"""What is planted to be looked for: values of an invented person, and an invented secret.

None of them may ever be in a log, an error, a repr, an address or on the screen.
"""

from __future__ import annotations

from collections.abc import Iterable

SECRET = "planted-secret-7Qz4"  # noqa: S105 - invented; it opens nothing
FAMILY, GIVEN, STREET = "Plantedfamily", "Plantedgiven", "1 Planted Street"
NUMBER, PHONE, REASON = "9999999999", "+1 555 0199", "planted reason of the referral"
PERSON = (FAMILY, GIVEN, STREET, NUMBER, PHONE, REASON)
PEER_TEXT = "SECRET-TEXT of Plantedfamily"


def seen(texts: Iterable[str], markers: Iterable[str]) -> list[str]:
    """The markers that are in one of the texts, each told by its place in the list alone."""
    everything = "\n".join(texts)
    return [
        f"planted value {n}" for n, each in enumerate(markers, 1) if each and each in everything
    ]


def request() -> dict[str, object]:
    """A referral in canonical form, of a person who does not exist (synthetic)."""
    return {
        "kind": "request",
        "envelope": {"id": "planted-1", "sent_at": "2026-01-15T10:00:00Z", "processing": "T"},
        "referral": {
            "id": "planted-referral",
            "identifiers": [{"type": "PLAC", "value": "R-1", "system": "urn:example:planted"}],
            "status": "active",
            "priority": "routine",
            "reason": REASON,
            "test": True,
            "subject": {
                "name": {"family": FAMILY, "given": [GIVEN]},
                "identifiers": [{"type": "MR", "value": NUMBER, "system": "urn:example:planted"}],
                "birth_date": "1950-01-01",
                "gender": "female",
                "telecoms": [{"system": "phone", "value": PHONE}],
                "addresses": [{"lines": [STREET], "city": "Synthetic"}],
            },
        },
        "fulfilments": [{"id": "work-1", "status": "requested"}],
    }
