"""The shipped questionnaires: find one by name, list them, show one in another language.

The questionnaires are data of the distribution (`adapter_mappings/instruments/*.json`), read by
resource name; this module imports no code from there.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import orjson

TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
"""FHIR's own extension for a string in another language (R4, Extensions registry)."""


class UnknownInstrumentError(LookupError):
    """No shipped questionnaire has that name."""

    def __init__(self, name: str) -> None:
        known = ", ".join(instruments())
        super().__init__(f"no instrument is named {name!r}; shipped are: {known}")


def _folder() -> Traversable:
    return resources.files("adapter_mappings") / "instruments"


@cache
def _names() -> tuple[str, ...]:
    found = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name[:-5] for name in found if name.endswith(".json")))


def instruments() -> list[str]:
    """Return the names of every shipped questionnaire, in alphabetical order."""
    return list(_names())


@cache
def _text(name: str) -> bytes:
    if name not in _names():
        raise UnknownInstrumentError(name)
    return (_folder() / f"{name}.json").read_bytes()


def instrument(name: str) -> dict[str, Any]:
    """Return the FHIR Questionnaire of that name; the caller owns the copy.

    Raises UnknownInstrumentError when no such questionnaire is shipped.
    """
    found: dict[str, Any] = orjson.loads(_text(name))
    return found


@cache
def _canonicals() -> dict[str, tuple[str, str]]:
    """Return {url: (name, version)} of what is shipped."""
    held = {name: instrument(name) for name in instruments()}
    return {form["url"]: (name, form.get("version", "")) for name, form in held.items()}


def by_canonical(canonical: str) -> dict[str, Any] | None:
    """Return the shipped Questionnaire with that canonical (`url` or `url|version`), or None."""
    url, _, version = canonical.partition("|")
    name, own = _canonicals().get(url, ("", ""))
    return instrument(name) if name and version in ("", own) else None


def translated(questionnaire: dict[str, Any], lang: str) -> dict[str, Any]:
    """Return a copy of the Questionnaire with every string that has a translation shown in `lang`.

    `lang` is a BCP 47 tag; `fr-CA` falls back to `fr`. A string without a translation keeps its
    words. The translation extensions are left out of the copy, and its `language` says what the
    reader now sees.
    """
    shown: dict[str, Any] = _shown(questionnaire, lang)
    shown["language"] = lang
    return shown


def _shown(node: Any, lang: str) -> Any:
    if isinstance(node, list):
        return [_shown(part, lang) for part in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key.startswith("_") and isinstance(value, dict):
            rest = _without_translations(value)
            if rest:
                result[key] = rest
            continue
        words = _translation(node.get("_" + key), lang) if isinstance(value, str) else None
        result[key] = words if words is not None else _shown(value, lang)
    return result


def _without_translations(element: dict[str, Any]) -> dict[str, Any]:
    kept = [e for e in element.get("extension", ()) if e.get("url") != TRANSLATION]
    rest = {key: value for key, value in element.items() if key != "extension"}
    return {**rest, "extension": kept} if kept else rest


def _translation(element: Any, lang: str) -> str | None:
    if not isinstance(element, dict):
        return None
    words: dict[str, str] = {}
    for extension in element.get("extension", ()):
        if extension.get("url") == TRANSLATION:
            parts = {part["url"]: part for part in extension.get("extension", ())}
            words[parts["lang"]["valueCode"].lower()] = parts["content"]["valueString"]
    wanted = lang.lower()
    return words.get(wanted) or words.get(wanted.split("-", maxsplit=1)[0])
