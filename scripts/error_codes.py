"""Find every error code of the source: where it is raised, what it says, what to do.

Codes are read from the source itself (no module is imported): from calls of `AdapterError` and its
subclasses, and of what carries a code to an operator (`Refusal`, `Refused`, `Problem`). A code that
stands in a table is found in the function or the table that the call takes it from.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("adapter", "plugins", "conformance")
CODE = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+$")
CARRIERS = ("Refusal", "Refused", "Problem")
BASE = "AdapterError"
GAPS = ("reason", "output")  # what a lifecycle can require with a status


@dataclass
class Found:
    """One code: the classes that carry it, its messages and fixes as templates."""

    code: str
    kinds: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    fixes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ErrorClass:
    """How a class takes its code: given by the caller after `prefix`, or always `fixed`."""

    name: str
    parents: tuple[str, ...]
    prefix: str = ""
    fixed: ast.Call | None = None
    own: bool = False


def error_codes(inside: str = "") -> dict[str, Found]:
    """Every code of the source, by name; with `inside` those that a folder raises."""
    trees = {
        path: ast.parse(path.read_text("utf-8"))
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "tests" not in path.parts and "templates" not in path.parts
    }
    classes = error_classes(trees.values())
    found: dict[str, Found] = {}
    for name, each in classes.items():
        if each.fixed is not None and not inside:
            keep(found, literal(each.fixed.args[0]), kind_of(name, classes), each.fixed)
    for path, tree in trees.items():
        if not path.is_relative_to(ROOT / inside):
            continue
        for function, call in calls(tree):
            name = word(call.func)
            each = classes.get(name)
            if inside and each and each.fixed is not None:
                keep(found, literal(each.fixed.args[0]), kind_of(name, classes), each.fixed)
            if name in CARRIERS or (each and each.fixed is None):
                prefix = each.prefix if each else ""
                for code, said in given_codes(tree, function, call):
                    if CODE.match(prefix + code):
                        keep(found, prefix + code, kind_of(name, classes), said)
    return dict(sorted(found.items()))


def error_classes(trees: Iterator[ast.Module] | object) -> dict[str, ErrorClass]:
    """Every subclass of `AdapterError`, by name; behaviour is inherited where not their own."""
    every = {
        node.name: node
        for tree in trees  # type: ignore[attr-defined]
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    known: dict[str, ErrorClass] = {BASE: ErrorClass(BASE, ())}
    grown = True
    while grown:
        grown = False
        for name, node in every.items():
            parents = tuple(word(each) for each in node.bases)
            if name not in known and any(each in known for each in parents):
                parent = next(known[each] for each in parents if each in known)
                known[name] = behaviour(node, parents, parent)
                grown = True
    return known


def behaviour(node: ast.ClassDef, parents: tuple[str, ...], parent: ErrorClass) -> ErrorClass:
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and ast.unparse(call.func) == "super().__init__"
            and call.args
        ):
            first = call.args[0]
            if literal(first):
                return ErrorClass(node.name, parents, fixed=call, own=True)
            if isinstance(first, ast.JoinedStr) and literal(first.values[0]):
                return ErrorClass(node.name, parents, prefix=literal(first.values[0]), own=True)
            return ErrorClass(node.name, parents, own=True)
    return ErrorClass(node.name, parents, prefix=parent.prefix, fixed=parent.fixed)


def kind_of(name: str, classes: dict[str, ErrorClass]) -> str:
    """The class of the public plugin API that an error class descends from, or the carrier."""
    public = {"ConfigError", "AuthError", "TransientError", "GoneError", "DataError", "SystemFault",
              "PluginError", "StoreError", BASE}  # fmt: skip
    while name in classes and name not in public:
        name = next((each for each in classes[name].parents if each in classes), BASE)
    return name


def calls(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Every call with the function (or module) that it stands in."""

    def walk(node: ast.AST, inside: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call):
                yield inside, child
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from walk(child, child if is_function else inside)

    yield from walk(tree, tree)


def given_codes(
    tree: ast.Module, function: ast.AST, call: ast.Call
) -> Iterator[tuple[str, ast.Call]]:
    """The codes that a call may give, each with the call that holds its message.

    A literal; else those of the expression, of what its name was assigned from, or, where the name
    is a parameter, of the function's own callers in the module.
    """
    argument = call.args[0] if call.args else keyword(call, "code")
    if argument is None or isinstance(argument, ast.Starred):
        return
    if literal(argument):
        yield literal(argument), call
        return
    sources = [argument]
    if isinstance(argument, ast.Name):
        sources += assigned(function, argument.id)
        yield from passed(tree, function, argument.id)
    for source in sources:
        for node in (source, *tables(tree, source)):
            yield from ((text, call) for text in texts(node))


def assigned(function: ast.AST, name: str) -> Iterator[ast.expr]:
    """What a name is assigned from, or runs over, in a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.For | ast.AnnAssign | ast.NamedExpr):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            value = node.iter if isinstance(node, ast.For) else node.value
            if value is not None and name in {word(each) for each in ast.walk(target)}:
                yield value


def passed(tree: ast.Module, function: ast.AST, name: str) -> Iterator[tuple[str, ast.Call]]:
    """What the module's own callers of a function pass for a parameter."""
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    names = [each.arg for each in function.args.args]
    if name not in names:
        return
    for _, call in calls(tree):
        if word(call.func) == function.name:
            place = names.index(name) - (names[0] == "self")
            given = call.args[place] if place < len(call.args) else keyword(call, name)
            said = ast.Call(call.func, call.args[place:], call.keywords)
            yield from ((text, said) for text in codes_of(given))


def codes_of(node: ast.AST | None) -> Iterator[str]:
    """The code-like texts of an expression; a text with one gap stands for the words of `GAPS`."""
    yield from texts(node)
    if isinstance(node, ast.JoinedStr):
        parts = [literal(each) if isinstance(each, ast.Constant) else None for each in node.values]
        if parts.count(None) == 1:
            yield from ("".join(part or gap for part in parts) for gap in GAPS)


def tables(tree: ast.Module, node: ast.AST | None) -> Iterator[ast.AST]:
    """The module's own constants that an expression names."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} if node else set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if names & {word(each) for each in targets}:
                yield statement.value


def texts(node: ast.AST | None) -> Iterator[str]:
    if node is not None:
        yield from (literal(each) for each in ast.walk(node) if CODE.match(literal(each)))


def keep(found: dict[str, Found], code: str, kind: str, call: ast.Call) -> None:
    one = found.setdefault(code, Found(code))
    message = call.args[1] if len(call.args) > 1 else keyword(call, "message")
    for values, value in (
        (one.kinds, kind),
        (one.messages, template(message)),
        (one.fixes, template(keyword(call, "fix"))),
    ):
        if value and value not in values:
            values.append(value)


def template(node: ast.AST | None) -> str:
    """A text with … where a value is put in; nothing where the text itself is a value."""
    if node is None:
        return ""
    if isinstance(node, ast.JoinedStr):
        parts = [literal(each) if isinstance(each, ast.Constant) else "…" for each in node.values]
        text = " ".join("".join(parts).split())
        return text if any(each.isalpha() for each in text) else ""
    if isinstance(node, ast.IfExp):
        return " / ".join(filter(None, (template(node.body), template(node.orelse))))
    return " ".join(literal(node).split())


def literal(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def word(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
