"""Questionnaires as plain text that somebody reads out on the telephone, in English or French."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapter.fhir.instruments import translated
from adapter.fhir.questionnaire_form import extension_values

Json = dict[str, Any]
WIDTH = 80
MIN, MAX = (f"http://hl7.org/fhir/StructureDefinition/{end}Value" for end in ("min", "max"))
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "skip": "The person may skip any question. If so, tick “skipped” and go on.",
        "skipped": "[ ] skipped",
        "answer": "Answer: ____________________",
        "yes": "Yes",
        "no": "No",
        "range": "A whole number from {low} to {high}.",
        "if": "Only if the answer to {number} was {answer}:",
        "any": "any answer",
        "other": "Something else: ____________________",
    },
    "fr": {
        "skip": "La personne peut sauter toute question. Si oui, cochez « sautée » et continuez.",
        "skipped": "[ ] sautée",
        "answer": "Réponse : ____________________",
        "yes": "Oui",
        "no": "Non",
        "range": "Un nombre entier de {low} à {high}.",
        "if": "Seulement si la réponse à la question {number} était {answer} :",
        "any": "une réponse quelconque",
        "other": "Autre chose : ____________________",
    },
}


class NoWordsError(ValueError):
    """The words of a questionnaire do not ship: the message says whose they are."""


def phone_script(questionnaires: Iterable[Json], language: str) -> str:
    """Return the text of questionnaires one after the other; questions are numbered throughout.

    `language` is ``en`` or ``fr``; other languages are read out in English.

    Raises:
        NoWordsError: a question has no words, because they are licensed.
    """
    spoken = "fr" if language.lower().startswith("fr") else "en"
    writer = _Writer(WORDS[spoken])
    lines = [WORDS[spoken]["skip"]]
    for each in questionnaires:
        shown = translated(each, "fr") if spoken == "fr" else each
        title = str(shown.get("title", shown.get("name", "")))
        lines += ["", title, "-" * len(title), *writer.items(shown, title)]
    return "\n".join(lines) + "\n"


class _Writer:
    def __init__(self, words: Mapping[str, str]) -> None:
        self.words = words
        self.numbers: dict[str, int] = {}

    def items(self, node: Json, title: str) -> Iterator[str]:
        for item in node.get("item", ()):
            kind, text = item["type"], item.get("text", "")
            if kind in ("group", "display"):
                if text:
                    yield from ["", *_wrapped(text, "")]
                yield from self.items(item, title)
                continue
            if not text:
                raise NoWordsError(
                    f"the words of {title} do not ship, they are licensed: ask with your own copy"
                )
            number = self.numbers[item["linkId"]] = len(self.numbers) + 1
            yield ""
            for condition in item.get("enableWhen", ()):
                yield "   " + self.condition(condition)
            yield from _wrapped(text, f"{number}. ")
            yield from (f"   {line}" for line in self.choices(item))
            yield f"   {self.words['skipped']}"
            yield from self.items(item, title)

    def choices(self, item: Json) -> Iterator[str]:
        kind = item["type"]
        if kind == "boolean":
            yield from (f"[ ] {self.words[each]}" for each in ("yes", "no"))
            return
        for option in item.get("answerOption", ()):
            yield f"[ ] {_shown(option)}"
        if kind == "open-choice":
            yield self.words["other"]
        elif kind != "choice" or not item.get("answerOption"):
            found = extension_values(item)
            if kind == "integer" and found.get(MIN) and found.get(MAX):
                low, high = found[MIN][0][1], found[MAX][0][1]
                yield self.words["range"].format(low=low, high=high)
            yield self.words["answer"]

    def condition(self, condition: Json) -> str:
        value = _shown({n: v for n, v in condition.items() if n.startswith("answer")})
        if "answerBoolean" in condition:
            value = self.words["yes" if condition["answerBoolean"] else "no"]
        answer = self.words["any"] if condition.get("operator") == "exists" else value
        if condition.get("operator") not in ("=", "exists"):
            answer = f"{condition.get('operator')} {value}"
        return self.words["if"].format(
            number=self.numbers.get(condition["question"], condition["question"]), answer=answer
        )


def _shown(holder: Json) -> str:
    """The words of an option or of a condition's value."""
    value = next((v for n, v in holder.items() if n[:5] in ("value", "answe")), "")
    if isinstance(value, dict):
        return str(value.get("display", value.get("code", "")))
    return str(value)


def _wrapped(text: str, start: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start)) or [
        start
    ]
