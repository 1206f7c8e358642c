"""The format `referral`: canonical JSON, the right side of every other format's maps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from adapter.plugin.errors import DataError
from adapter.plugin.formats import CodecMaker, Element, Finding, Leaf, PathError, Settings, Step
from adapter.plugin.json_lines import json_documents
from adapter.plugin.json_paths import JsonNotation, json_leaves
from adapter.referral.document import DocumentError, field_kinds, from_document
from adapter.referral.model import ReferralEvent

_SHAPES = {str: "string", int: "integer", bool: "boolean", float: "decimal"}


class ReferralNotation(JsonNotation):
    """Paths of the canonical model, checked against its classes."""

    def element(self, steps: tuple[Step, ...]) -> Element:
        """See `adapter.plugin.formats.Notation.element`.

        Types are ``string``, ``integer``, ``boolean``, ``strings`` or the name of a model class.

        Raises:
            PathError: ``unknown-path`` or ``list-needs-index``.
        """
        cls: type[Any] | None = ReferralEvent
        shape = "object"
        inner: Any = ReferralEvent
        for position, step in enumerate(steps):
            if step.kind == "key":
                if shape in ("objects", "strings"):
                    raise PathError(
                        f"{steps[position - 1].key} is a list",
                        fix="say which item: [0] or [key=value]",
                        code="list-needs-index",
                    )
                cls, shape, inner = _field(cls, str(step.key))
            else:
                if shape not in ("objects", "strings"):
                    raise PathError(
                        "only a list has items",
                        fix="leave the brackets away",
                        code="list-needs-index",
                    )
                for match in step.match:
                    _field(inner, str(match.path[0]))
                if shape == "objects":
                    shape, cls = "object", inner
                else:
                    shape, cls, inner = "plain", None, (str,)
        if shape == "plain":
            return Element((_SHAPES[inner[0]],))
        if shape == "strings":
            return Element(("string",), repeats=True)
        return Element((inner.__name__,), repeats=shape == "objects")

    def required(self, steps: Sequence[tuple[Step, ...]]) -> Sequence[str]:
        """Every event has a kind."""
        return () if any(path and path[0].key == "kind" for path in steps) else ("kind",)


def _field(cls: type[Any] | None, name: str) -> tuple[type[Any] | None, str, Any]:
    fields = field_kinds(cls) if cls is not None else {}
    if name not in fields:
        known = ", ".join(fields) or "no fields"
        raise PathError(
            f"{cls.__name__ if cls else 'a plain value'} has no field {name}",
            fix=f"it has {known}",
        )
    shape, inner = fields[name]
    return (inner if shape in ("object", "objects") else None), shape, inner


class _Environment:
    """Reading and writing canonical JSON needs nothing."""

    def __init__(self) -> None:
        self.reported: list[tuple[Any, ...]] = []


class ReferralFormat:
    """Canonical JSON: the form of `adapter.referral.document`."""

    name = "referral"
    media_type = "application/json"
    suffix = ".json"
    codecs: Mapping[str, CodecMaker] = {}

    def split(self, data: bytes) -> Iterator[bytes | DataError]:
        """One JSON object, or one after another."""
        return json_documents([data])

    def split_blocks(self, blocks: Iterable[bytes]) -> Iterator[bytes | DataError]:
        """The same of an input that comes in blocks."""
        return json_documents(blocks)

    def parse(self, raw: bytes) -> Any:
        """One event as JSON, checked against the model.

        Raises:
            DataError: not JSON, or not of the model.
        """
        try:
            tree = orjson.loads(raw)
            from_document(ReferralEvent, tree)
        except orjson.JSONDecodeError:
            raise DataError(
                "mapping.unreadable", "this is no JSON", fix="send one canonical document"
            ) from None
        except DocumentError as error:
            raise DataError(
                "mapping.unreadable", str(error), fix="see the package adapter/referral/model"
            ) from None
        return tree

    def refuse_faulty(self, tree: Any) -> None:
        """Refuse a document that is not of the model, whichever table made it.

        Raises:
            DataError: ``message.not-canonical``: a key or a value that the model does not have.
        """
        try:
            from_document(ReferralEvent, tree)
        except DocumentError as error:
            raise DataError(
                "message.not-canonical",
                f"the mapping made something that is no referral: {error.message}",
                fix=f"Check the pack's row for {error.path}.",
            ) from None

    def dump(self, tree: Any) -> bytes:
        """Canonical JSON on one line."""
        return orjson.dumps(tree)

    def kind(self, tree: Any) -> str:
        """The event's kind: request, answer, outcome, …"""
        return str(tree.get("kind", ""))

    def leaves(self, tree: Any) -> Iterator[Leaf]:
        """Every value once."""
        return json_leaves(tree)

    def made_again(self, leaf: Leaf) -> str:
        """Everything in a canonical document is meant."""
        return ""

    def notation(self, side: Mapping[str, Any]) -> ReferralNotation:
        """Paths of the model."""
        return ReferralNotation()

    def reading(self, tree: Any, settings: Settings) -> _Environment:
        """Nothing is needed."""
        return _Environment()

    def writing(self, document: Mapping[str, Any], settings: Settings, kind: str) -> _Environment:
        """Nothing is needed."""
        return _Environment()

    def validate(self, raw: bytes) -> Sequence[Finding]:
        """Whether the document is of the model."""
        try:
            self.parse(raw)
        except DataError as error:
            return (Finding("error", "", error.message),)
        return ()
