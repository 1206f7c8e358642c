"""YAML as nodes that know their place, and refused where reading it would take the process along.

libyaml builds nested nodes by recursion in C, which no Python limit stops; and an alias may hold
itself, or a tree that is larger each time it is named.
"""

from __future__ import annotations

import re

import yaml

from adapter.mapping.table import Fault, TableError, Where

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is at hand: 10 x faster
MOST_DEPTH = 100
"""Levels of nesting: a table of ours has twenty."""
MOST_NODES = 200_000
"""Nodes of one file with its aliases written out: the largest table of ours has 10,000."""
_ALIAS = re.compile(r"(?:^|[\s\[{,:-])\*[^\s,\]}]")
_BRACKET = re.compile(r"[\[\]{}]")


def nodes_of(text: str, file: str) -> list[yaml.Node]:
    """The documents of a file (several are separated by ``---``).

    Raises:
        TableError: ``yaml``, with the place.
    """
    if line := _too_deep(text):
        where, fix = Where(file, line, 1), "write rows and blocks, not more"
        raise TableError([Fault(where, "yaml", "nested too deeply", fix)])
    try:
        found = [node for node in yaml.compose_all(text, Loader=_Loader) if node is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = Where(file, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1)
        fix = "put paths with [ ] or , in quotes" if "flow" in str(error) else "mend the YAML"
        raise TableError([Fault(where, "yaml", error.problem or "not YAML", fix)]) from None
    except yaml.reader.ReaderError:
        raise TableError([_control(text, file)]) from None
    if _ALIAS.search(text):
        sizes: dict[int, int] = {}
        for node in found:
            _size(node, sizes, file)
    return found


def _too_deep(text: str) -> int:
    """The line where brackets or indents go deeper than any table; 0 if none does.

    An estimate that is never too small; brackets inside quotes count, and close again.
    """
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        for mark in _BRACKET.findall(line):
            depth = max(0, depth + (1 if mark in "[{" else -1))
            if depth > MOST_DEPTH:
                return number
        bare = line.lstrip(" -?")
        if (len(line) - len(bare)) > 4 * MOST_DEPTH:
            return number
    return 0


def _control(text: str, file: str) -> Fault:
    """The fault of the first character that YAML does not allow."""
    found = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    before = text[: found.start()] if found else ""
    where = Where(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    return Fault(where, "yaml", "a control character stands here", "take it out")


def _size(node: yaml.Node, sizes: dict[int, int], file: str) -> int:
    """How many nodes a node is, its aliases written out."""
    known = sizes.get(id(node))
    if known is not None:
        if known:
            return known
        raise TableError([_alias(node, file, "an alias stands inside what it names")])
    sizes[id(node)] = 0
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        inner = node.value
    elif isinstance(node, yaml.MappingNode):
        inner = [each for pair in node.value for each in pair]
    size = 1 + sum(_size(each, sizes, file) for each in inner)
    if size > MOST_NODES:
        raise TableError([_alias(node, file, "the aliases here make the table too large")])
    sizes[id(node)] = size
    return size


def _alias(node: yaml.Node, file: str, message: str) -> Fault:
    where = Where(file, node.start_mark.line + 1, node.start_mark.column + 1)
    return Fault(where, "yaml", message, "write the rows themselves")
