"""What a format is: bytes to tree and back, its paths, its codecs, and the code that reaches them.

A mapping table is compiled once into Python source. A format says how one *step* of a path is read
and written in that source; the mapping room puts the steps together. `adapter.plugin.json_paths`
has all of this for formats whose trees are JSON objects: such a format gives its name, its bytes
and its codecs only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from adapter.plugin.errors import DataError


def selector(condition: str, offset: int) -> tuple[str, tuple[str, ...], bool, bool]:
    """Name, values, negation and written-only of ``key=a|b``, ``key!=a`` or ``key:=a``.

    Raises:
        PathError: there is no sign in it.
    """
    for sign in ("!=", ":=", "="):
        name, found, values = condition.partition(sign)
        if found and not set(name) & set("=!:"):
            if name.strip():
                return name.strip(), tuple(values.split("|")), sign == "!=", sign == ":="
            break
    raise PathError("a selector is [key=value]", fix="write [key=value]", offset=offset)


class PathError(ValueError):
    """A path that this format does not have.

    `code` is one of the words of docs/reference/mapping-tables.md; `offset` is where in the text.
    """

    def __init__(
        self, message: str, *, fix: str = "", offset: int = 0, code: str = "unknown-path"
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.offset = offset
        self.code = code


class DomainError(ValueError):
    """A value for which a codec has no meaning. `why` never holds the value itself."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Match(NamedTuple):
    """One condition of a selector: the part at `path` is (or is not) one of `values`.

    With `written_only` (``:=``) it is no condition: the value is written, and not asked for.
    """

    path: tuple[str | int, ...]
    values: tuple[str, ...]
    negated: bool = False
    written_only: bool = False


class Step(NamedTuple):
    """One step of a path. `kind` is the format's own word; steps are hashable and comparable."""

    kind: str
    key: str | int | None = None
    match: tuple[Match, ...] = ()


class Leaf(NamedTuple):
    """One non-empty value of a tree: a path for people, its raw text, and its place as a tuple.

    A leaf lies under a place if its `where` begins with that place.
    """

    path: str
    raw: str
    where: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Element:
    """What the definitions say of a place: types, whether it repeats, whether it must be."""

    types: tuple[str, ...] = ()
    repeats: bool = False
    required: bool = False
    codes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a format's own checks say of a message; severity error, warning or information."""

    severity: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a site decides about mapping.

    Attributes:
        site: the site's name; it is part of every id that is made.
        timezone: IANA name; a local time without offset is read in it.
        version: the version to write, where the format has versions; empty for the map's own.
        namespace: the site's own identifier system (a URI), for identifiers that come without one.
    """

    site: str = "adapter"
    timezone: str = "UTC"
    version: str = ""
    namespace: str = ""


class Table(Protocol):
    """A code table as codecs see it."""

    @property
    def to_right(self) -> Mapping[str, str]:
        """The right code of each left code."""

    @property
    def to_left(self) -> Mapping[str, str]:
        """The left code of each right code: the way back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """A pair of functions between one format's value and the canonical one.

    Attributes:
        read: (left value, environment) to canonical value; None if there is none.
        write: (canonical value, environment) to left value; None if there is none.
        left: element types that it fits, by the format's names; empty fits all.
        right: canonical shapes that it fits: ``string``, ``integer``, ``boolean``, ``strings`` or
            the name of a model class.
        loses: what it loses, in words; empty if nothing.
        lossless: left types that have nothing of what it loses.
        many: True if its canonical value is a list.
        read_source, write_source: an expression with ``{v}`` that does the same, or None.
        always: True if `read` gives a value for every value.
    """

    name: str
    read: Callable[[Any, Any], Any]
    write: Callable[[Any, Any], Any]
    left: frozenset[str] = frozenset()
    right: frozenset[str] = frozenset({"string"})
    loses: str = ""
    lossless: frozenset[str] = frozenset()
    many: bool = False
    read_source: str | None = None
    write_source: str | None = None
    always: bool = False


CodecMaker = Callable[[Sequence[str], Mapping[str, Table]], Codec]
"""Makes a codec from what stands in its parentheses; ValueError says what is wrong with them."""


@dataclass(slots=True)
class Frame:
    """A value that emitted source holds in a variable.

    Attributes:
        var: its name.
        memo: free for the format's use.
        asked: the steps that were read from it so far, in order.
        wanted: every step that is going to be read from it; empty when that is not known.
        held: the variables of values that conditions asked for while it was the innermost guard.
    """

    var: str
    memo: dict[str, str] = field(default_factory=dict)
    asked: list[Step] = field(default_factory=list)
    wanted: Sequence[Step] = ()
    held: dict[object, str] = field(default_factory=dict)


class Access(NamedTuple):
    """How emitted source reaches one step.

    `setup` runs before the guard and sets the variable; `inside` runs when the guard holds; `where`
    is an expression for the place, used only when tracing. For a loop, `guard` is the ``for``
    line and `inside` its first lines. `uses` are the places that reaching the step consumes, each
    as an expression, with the raw values that it may have there (or ``None``).
    """

    setup: tuple[str, ...]
    guard: str
    inside: tuple[str, ...] = ()
    where: str = ""
    uses: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Node:
    """A place that emitted source builds: a variable, attached to its parent's when filled."""

    step: Step
    parent: Node | None
    var: str = ""
    shape: str = ""
    children: dict[Step, Node] = field(default_factory=dict)
    item: bool = False

    def child(self, step: Step) -> Node:
        """The node of a step below this one, made when first asked for."""
        found = self.children.get(step)
        if found is None:
            found = self.children[step] = Node(step, self)
        return found


class Notation(Protocol):
    """A format's paths for one map: read as text, checked, and turned into source."""

    def parse(
        self, text: str, at: tuple[Step, ...] = (), *, each: bool = False
    ) -> tuple[Step, ...]:
        """The steps of a path, relative to the block `at`.

        `each` asks for the path of a loop.

        Raises:
            PathError: the text is not a path.
        """

    def peek(self, tree: Any, steps: tuple[Step, ...]) -> str | None:
        """The raw text at a plain path of a whole tree, or None; used to tell dialects apart."""

    def element(self, steps: tuple[Step, ...]) -> Element:
        """What the definitions say of an absolute place.

        Raises:
            PathError: there is no such place.
        """

    def required(self, steps: Sequence[tuple[Step, ...]]) -> Sequence[str]:
        """Required places that a map writing exactly these places would leave empty."""

    def runtime(self) -> Mapping[str, Any]:
        """Names that the emitted source may use."""

    def begin_read(self, trace: bool) -> Sequence[str]:
        """Statements that make ``root`` (and ``root_w`` when tracing) from ``tree``."""

    def read(self, step: Step, parent: Frame, out: str, trace: bool) -> Access:
        """How one step is read from `parent` into the variable `out`."""

    def loop(self, step: Step, parent: Frame, out: str, trace: bool) -> Access:
        """How each item of a step is read."""

    def begin_write(self, trace: bool) -> Sequence[str]:
        """Statements that make ``out``, the root of what is written."""

    def shape(self, node: Node) -> None:
        """Set `node.shape` from its step and its children."""

    def declare(self, node: Node) -> Sequence[str]:
        """The statements that begin a node's variables, empty."""

    def filled(self, node: Node) -> str:
        """The expression that is true once something was written into the node."""

    def absent(self, node: Node) -> str:
        """The expression that is true while nothing was written at a node without children."""

    def assign(self, node: Node, value: str) -> str:
        """The statement that writes a value at a node without children."""

    def spot(self, node: Node) -> str:
        """Container and key of the last `assign` at a node, as source: ``n1, 'family'``."""

    def around(self, node: Node, value: str) -> str | None:
        """The expression of a node that holds `value` at its only child and nothing else.

        None if such a node has to be built in a variable.
        """

    def attach(self, node: Node, trace: bool, within: Sequence[Node] = ()) -> Sequence[str]:
        """The statements that hand a filled node to its parent.

        `within` are the nodes, outermost first, that only stand around it: they go to the parent
        of the outermost in one expression.
        """

    def stated(self, node: Node) -> Sequence[str]:
        """Spots that `attach` writes of itself: selectors' values, references, types."""

    def same(self, node: Node, source: Node) -> Sequence[str]:
        """The statements that write at `node` what stands at `source`, if anything does."""

    def closes(self, step: Step) -> bool:
        """Whether a block on this step is finished at its end (a resource of its own)."""

    def order(self, nodes: Sequence[Node]) -> Sequence[Node]:
        """The order in which the children of one node are attached."""

    def part(self, value: Any, where: tuple[Any, ...]) -> Any:
        """What is at a place under a value that a codec reads, or None."""

    def without(self, value: Any, where: tuple[Any, ...]) -> Any:
        """A value that a codec reads, with nothing at a place under it."""

    def places(self, env: Any, result: Any) -> Mapping[int, tuple[Any, ...]]:
        """The place of each object that hangs directly on the tree, by its id()."""

    def finish(self, trace: bool) -> Sequence[str]:
        """Statements that make ``result``, the tree, from ``out``."""


def read_leniently(format: Format, raw: bytes) -> tuple[Any, Sequence[str]]:
    """The tree of a peer's message, and what was put right in it; DataError if it is none."""
    forgiving = getattr(format, "parse_leniently", None)
    return (format.parse(raw), ()) if forgiving is None else forgiving(raw)


def refuse_faulty(format: Format, tree: Any) -> None:
    """Refuse to send a tree that the format itself finds faulty, by DataError."""
    refuse = getattr(format, "refuse_faulty", None)
    if refuse is not None:
        refuse(tree)


class Format(Protocol):
    """Bytes to tree and back, and the notation of its paths.

    A format whose documents all begin alike (the header of a CSV file) may have `head`, those
    bytes; where many documents follow one another, only the first keeps them. A format that
    forgives what peers do may have `parse_leniently(raw)`: the tree with their plain slips put
    right, and a sentence for each; it is used for messages of peers instead of `parse`. One that
    is strict in what it sends may have `refuse_faulty(tree)`, which raises DataError. And one that
    others have models of may have `second_opinions(trees)`: what those refuse of each tree. One
    whose messages can be told apart while an input still comes may have `split_blocks(blocks)`:
    what `split` gives of the same bytes, each message as soon as it is known to be whole.
    """

    name: str
    media_type: str
    suffix: str
    codecs: Mapping[str, CodecMaker]

    def split(self, data: bytes) -> Iterator[bytes | DataError]:
        """Each message of an input, in order; an error where something is not a message.

        An input without any message gives one error, or bytes that `parse` refuses.
        """

    def parse(self, raw: bytes) -> Any:
        """The tree of one message; DataError if it cannot be read."""

    def dump(self, tree: Any) -> bytes:
        """The bytes of a tree."""

    def kind(self, tree: Any) -> str:
        """What this message is, for example ``REF^I12`` or ``Bundle``."""

    def leaves(self, tree: Any) -> Iterator[Leaf]:
        """Every non-empty value once."""

    def made_again(self, leaf: Leaf) -> str:
        """Why a leaf that no row reads is no loss of meaning, or an empty string."""

    def notation(self, side: Mapping[str, Any]) -> Notation:
        """The notation for one side of a map, given what the map says of it."""

    def reading(self, tree: Any, settings: Settings) -> Any:
        """The environment that codecs get while this tree is read."""

    def writing(self, document: Mapping[str, Any], settings: Settings, kind: str) -> Any:
        """The environment that codecs get while a tree is written from `document`."""

    def validate(self, raw: bytes) -> Sequence[Finding]:
        """What the format's own checks say of one message; empty if nothing is wrong."""
