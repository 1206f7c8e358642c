"""One conversion, set up once and done for each message of a stream (`adapter convert`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from adapter.cli.formats import STDIN, outcome_of
from adapter.cli.printing import say

if TYPE_CHECKING:
    from adapter.mapping.packs import Packs
    from adapter.plugin.errors import DataError
    from adapter.plugin.formats import Format, Settings

FHIR = "fhir"
Input = tuple[str, "bytes | DataError"]
"""A message, and what to call it; or why there is none."""
HANDFUL = 16
"""So many messages at most are converted before the first of them is written."""
_BYTES = 1_000_000


class Output(NamedTuple):
    """What is written for a message, whether it was converted, and the tree that was read."""

    document: bytes
    good: bool
    tree: Any


class Conversion:
    """From a format to another; what cannot be converted gives an OperationOutcome in its place."""

    def __init__(
        self,
        packs: Packs,
        source: Format,
        target: Format,
        settings: Settings,
        dialect: str | None,
        *,
        as_json: bool = False,
        second_opinion: bool = False,
    ) -> None:
        self.packs = packs
        self.source = source
        self.target = target
        self.settings = settings
        self.dialect = dialect
        self.asked = second_opinion
        self.quoted = as_json and "json" not in target.media_type
        self.head = b"" if self.quoted else getattr(target, "head", b"")

    def one(self, message: bytes | DataError, name: str = STDIN) -> Output:
        """The output of one message; what was mended in it is said."""
        return self.some([(name, message)])[0]

    def some(self, inputs: Sequence[Input]) -> list[Output]:
        """The outputs of several: of those a second opinion is had at once, which is faster."""
        made = [self._made(name, message) for name, message in inputs]
        if self.asked:
            self._ask(made)
        return [self._written(tree, result) for tree, result in made]

    def _made(self, name: str, message: bytes | DataError) -> tuple[Any, Any]:
        """The tree that was read, and the one that it became or the error that it came to."""
        from adapter.mapping.convert import convert_tree
        from adapter.plugin.errors import DataError
        from adapter.plugin.formats import read_leniently, refuse_faulty

        if isinstance(message, DataError):
            return None, message
        try:
            tree, mended = read_leniently(self.source, message)
            for text in mended:
                say(f"{name}: {text}")
            result = convert_tree(
                tree, packs=self.packs, source=self.source.name, target=self.target.name,
                settings=self.settings, dialect=self.dialect,
            )  # fmt: skip
            if self.source is self.target and self.source.name == FHIR:
                result = _known_to_r4(result)
            refuse_faulty(self.target, result)
        except (DataError, *UNFORESEEN) as error:
            return None, error
        return tree, result

    def _ask(self, made: list[tuple[Any, Any]]) -> None:
        """Put an error in the place of what the models of others refuse."""
        from adapter.plugin.errors import DataError

        asked = [n for n, (_, result) in enumerate(made) if not isinstance(result, Exception)]
        opinions = self.target.second_opinions([made[n][1] for n in asked])  # type: ignore[attr-defined]
        for n, found in zip(asked, opinions, strict=True):
            if found:
                error = DataError(
                    "fhir.not-conformant",
                    "what the mapping makes is refused by the models of fhir.resources:"
                    f" {found[0]}",
                    fix="correct the value in the message, or the row that carries it",
                )
                made[n] = None, error

    def _written(self, tree: Any, result: Any) -> Output:
        import orjson

        from adapter.plugin.errors import DataError

        if isinstance(result, Exception):
            return Output(orjson.dumps(outcome_of(result)), False, None)
        try:
            document = self.target.dump(result)
            if self.quoted:
                document = orjson.dumps(document.decode("utf-8", "backslashreplace"))
        except (DataError, *UNFORESEEN) as error:
            return Output(orjson.dumps(outcome_of(error)), False, None)
        return Output(document, True, tree)

    def losses(self, name: str, tree: Any) -> Iterator[dict[str, Any]]:
        """What a converted message lost, for the loss report."""
        from adapter.mapping.convert import explain_tree

        found = explain_tree(
            tree, packs=self.packs, source=self.source.name, target=self.target.name,
            settings=self.settings, dialect=self.dialect,
        )  # fmt: skip
        for loss in found.lost:
            row = {"file": loss.row.file, "line": loss.row.line} if loss.row else {}
            yield {"input": name, "from": loss.path, "raw": loss.raw, "why": loss.why, **row}


# A shape that nobody foresaw ends its message, not those after it.
UNFORESEEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def _known_to_r4(resource: Any) -> Any:
    """A resource without the elements that R4 does not have; the loss report names them."""
    from adapter.fhir.definitions import resource_types
    from adapter.fhir.mending import mend

    return mend(resource).resource if resource.get("resourceType") in resource_types() else resource


def handfuls(inputs: Iterable[Input]) -> Iterator[list[Input]]:
    """The inputs in order, a few at once: sixteen, or as many as make a megabyte."""
    some: list[Input] = []
    size = 0
    for each in inputs:
        some.append(each)
        size += len(each[1]) if isinstance(each[1], bytes) else 0
        if len(some) == HANDFUL or size >= _BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
