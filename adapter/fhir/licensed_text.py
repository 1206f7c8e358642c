"""Puts the words of a licensed instrument into its shipped, wordless Questionnaire.

Instruments whose wording may not be passed on ship with their structure and scoring only. A
deployer who holds a licence keeps the words in a file of their own (JSON):

    {"language": "en", "items": {"item-1": "…", "item-2": "…"}}
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from adapter.fhir.instruments import instrument


class LicensedTextError(ValueError):
    """The file of words does not fit the instrument; the message says what to change."""


@dataclass(frozen=True, slots=True)
class LicensedForm:
    """A Questionnaire with its words, and the SHA-256 (hex) of the file they came from."""

    questionnaire: dict[str, Any]
    sha256: str


def with_licensed_text(name: str, content: bytes) -> LicensedForm:
    """Return the shipped instrument of that name with the words of a deployer's file.

    Raises UnknownInstrumentError for an unknown name, and LicensedTextError when the file is not
    JSON of the shape above, names a linkId that the instrument lacks, or leaves a question out.
    """
    words, language = _read(content)
    questionnaire = instrument(name)
    wanted = {item["linkId"]: item for item in _items(questionnaire) if item["type"] != "display"}
    unknown = sorted(set(words) - set(wanted))
    missing = sorted(set(wanted) - set(words))
    if unknown or missing:
        raise LicensedTextError(
            f"{name} has no {', '.join(unknown)}" if unknown else f"add {', '.join(missing)}"
        )
    for link_id, text in words.items():
        wanted[link_id]["text"] = text
        wanted[link_id].pop("_text", None)
    questionnaire["language"] = language
    questionnaire["status"] = "active"
    return LicensedForm(questionnaire, hashlib.sha256(content).hexdigest())


def _read(content: bytes) -> tuple[dict[str, str], str]:
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise LicensedTextError("the file of words is not JSON") from error
    items = data.get("items") if isinstance(data, dict) else None
    if not isinstance(items, dict) or not all(isinstance(text, str) for text in items.values()):
        raise LicensedTextError('the file needs {"language": …, "items": {linkId: words}}')
    return items, str(data.get("language", "en"))


def _items(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in node.get("item", ()):
        yield item
        yield from _items(item)
