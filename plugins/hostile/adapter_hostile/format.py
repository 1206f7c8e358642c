"""The format `hostile`: one JSON object for each message, or one a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from adapter.plugin import DataError
from adapter.plugin.formats import Codec, CodecMaker, DomainError, Finding, Leaf, Settings, Table
from adapter.plugin.json_paths import JsonNotation, json_leaves

KINDS = ("request", "modify", "cancel", "answer", "outcome")


class Environment:
    """What the codecs of this format need while a message is read or written: nothing."""

    def __init__(self) -> None:
        self.reported: list[tuple[Any, ...]] = []


def _code(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
    """``code(TABLE)``: a word of the peer's, and ours; other words are refused, never guessed."""
    if len(arguments) != 1:
        raise ValueError("code takes the name of one code table")
    table = tables[arguments[0]]

    def reads(value: Any, environment: Environment) -> str:
        return _looked_up(table.to_right, value, arguments[0])

    def writes(value: Any, environment: Environment) -> str:
        return _looked_up(table.to_left, value, arguments[0])

    return Codec(name="code", read=reads, write=writes)


def _looked_up(words: Mapping[str, str], value: Any, table: str) -> str:
    found = words.get(value) if isinstance(value, str) else None
    if found is None:
        raise DomainError(f"the code is not in the table {table}")
    return found


def _plain(name: str, kind: type[Any], shape: str) -> CodecMaker:
    """A codec that carries values of one JSON type as they are, and refuses others."""

    def carry(value: Any, environment: Environment) -> Any:
        if type(value) is not kind:
            raise DomainError(f"the value is no {shape}")
        return value

    def make(arguments: Sequence[str], tables: Mapping[str, Table]) -> Codec:
        if arguments:
            raise ValueError(f"{name} takes nothing in parentheses")
        return Codec(name=name, read=carry, write=carry, right=frozenset({shape}))

    return make


class HostileFormat:
    """JSON with a `type` and an `id`; the paths are those of `adapter.plugin.json_paths`."""

    name = "hostile"
    media_type = "application/json"
    suffix = ".json"
    codecs: Mapping[str, CodecMaker] = {
        "text": _plain("text", str, "string"),
        "flag": _plain("flag", bool, "boolean"),
        "code": _code,
    }

    def split(self, data: bytes) -> Iterator[bytes]:
        """One object, or one a line; an input without any is given as one, to be refused."""
        text = data.strip()
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and all(line.lstrip()[:1] == b"{" for line in lines):
            yield from lines
            return
        yield text

    def parse(self, raw: bytes) -> dict[str, Any]:
        """One message.

        Raises:
            DataError: it is no JSON object, or has no id or no type that we know.
        """
        try:
            tree = orjson.loads(raw)
        except orjson.JSONDecodeError:
            tree = None
        if not isinstance(tree, dict):
            raise _unreadable("it is no JSON object")
        if not isinstance(tree.get("id"), str) or not tree["id"]:
            raise _unreadable("it has no id")
        if tree.get("type") not in KINDS:
            raise _unreadable(f"its type is none of {', '.join(KINDS)}")
        return tree

    def dump(self, tree: Any) -> bytes:
        """JSON on one line."""
        return orjson.dumps(tree)

    def kind(self, tree: Any) -> str:
        """The type of the message: request, modify, cancel, answer or outcome."""
        return str(tree["type"])

    def leaves(self, tree: Any) -> Iterator[Leaf]:
        """Every value once."""
        return json_leaves(tree)

    def made_again(self, leaf: Leaf) -> str:
        """Everything in a message is meant."""
        return ""

    def notation(self, side: Mapping[str, Any]) -> JsonNotation:
        """Plain JSON paths."""
        return JsonNotation()

    def reading(self, tree: Any, settings: Settings) -> Environment:
        """Nothing is needed."""
        return Environment()

    def writing(self, document: Mapping[str, Any], settings: Settings, kind: str) -> Environment:
        """Nothing is needed."""
        return Environment()

    def validate(self, raw: bytes) -> Sequence[Finding]:
        """Whether the message can be read."""
        try:
            self.parse(raw)
        except DataError as error:
            return (Finding("error", "", error.message),)
        return ()


def _unreadable(why: str) -> DataError:
    return DataError(
        "hostile.unreadable",
        f"this is no message: {why}",
        fix='Send one JSON object with "id" and "type".',
    )
