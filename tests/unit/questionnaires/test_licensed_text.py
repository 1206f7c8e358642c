"""A deployer's words go into a shipped form; nobody else's do."""

from __future__ import annotations

import hashlib

import orjson
import pytest

from adapter.fhir.licensed_text import LicensedTextError, with_licensed_text

WORDS = {f"item-{n}": f"Synthetic words {n}" for n in range(1, 8)}


def test_the_words_are_put_in_and_their_hash_is_kept() -> None:
    content = orjson.dumps({"language": "fr", "items": WORDS})
    form = with_licensed_text("swemwbs", content)
    assert [item["text"] for item in form.questionnaire["item"]] == list(WORDS.values())
    assert form.questionnaire["language"] == "fr"
    assert form.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not json", "not JSON"),
        (b'{"items": []}', "language"),
        (orjson.dumps({"items": WORDS | {"item-8": "x"}}), "has no item-8"),
        (orjson.dumps({"items": {"item-1": "x"}}), "add item-2"),
    ],
)
def test_words_that_do_not_fit_are_refused(content: bytes, said: str) -> None:
    with pytest.raises(LicensedTextError, match=said):
        with_licensed_text("swemwbs", content)
