"""The small mistakes that can be made in Python code, and in the SQL within it, one at a time."""

from __future__ import annotations

import ast
import operator
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_PAIRS: Final[Sequence[tuple[type[ast.AST], type[ast.AST]]]] = (
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.Eq, ast.NotEq),
    (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn),
    (ast.And, ast.Or),
    (ast.Add, ast.Sub),
)
OPPOSITES: Final = {**dict(_PAIRS), **{other: one for one, other in _PAIRS}}
SQL: Final = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|WHERE|ORDER BY)\b")
SQL_CHANGES: Final = [
    (r"\bAND\b", "OR"),
    (r"(?<!INSERT )\bOR\b", "AND"),
    (r"<(?![=>])", "<="),
    (r"<=", "<"),
    (r"(?<![<>-])>(?![=>])", ">="),
    (r">=", ">"),
    (r"<>", "="),
    (r"\b(WHERE|AND|OR|ON|NOT) ([\w.:]+) = ", r"\1 \2 <> "),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r"\bNOT (IN|EXISTS)\b", r"\1"),
    (r"(?<!NOT )\b(IN|EXISTS) \(", r"NOT \1 ("),
    (r" DESC\b", ""),
    (r"(ORDER BY [\w.]+)(?=\s*(LIMIT|\)|$))", r"\1 DESC"),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r"\bmax\(", "min("),
    (r"\bmin\(", "max("),
    (r"\bLIMIT 1\b", "LIMIT 2"),
]
LOGS: Final = ("log", "logger", "logging")
UNTOUCHED: Final = ("annotation", "returns", "decorator_list", "bases", "msg", "exc", "cause")
"""Fields of nodes that decide nothing: types, decorators, and the texts of errors."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file: in what, on which lines, and whether they run when it is called and not when it is imported."""

    scope: str = ""
    lines: range = range(0)
    called: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A small mistake; `make` makes it in the tree of which `node` is a part."""

    name: str
    node: Any
    place: Place
    make: Callable[[], object]


def changes(node: ast.AST, place: Place | None = None) -> Iterator[Change]:
    """All mistakes that can be made in a node and in what is below it."""
    place = place or Place()
    yield from (Change(name, node, place, make) for name, make in _own_changes(node))
    for name, value in ast.iter_fields(node):
        for at, child in enumerate(value if isinstance(value, list) else [value]):
            if name in UNTOUCHED or not isinstance(child, ast.AST) or _decides_nothing(child):
                continue
            inner = _inner(child, place)
            if _can_go(child):
                yield Change("statement deleted", child, inner, partial(operator.setitem, value, at, ast.Pass()))
            yield from changes(child, inner)


def _own_changes(node: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    match node:
        case ast.Compare():
            for at, sign in enumerate(node.ops):
                yield _swap(sign), partial(operator.setitem, node.ops, at, OPPOSITES[type(sign)]())
        case ast.BoolOp() | ast.BinOp(op=ast.Add() | ast.Sub()) | ast.AugAssign(op=ast.Add() | ast.Sub()):
            yield _swap(node.op), partial(setattr, node, "op", OPPOSITES[type(node.op)]())
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", partial(setattr, node, "operand", ast.UnaryOp(ast.Not(), node.operand))
        case ast.Constant(value=bool() as value):
            yield f"{value} -> {not value}", partial(setattr, node, "value", not value)
        case ast.Constant(value=int() as value):
            yield "n -> n + 1", partial(setattr, node, "value", value + 1)
        case ast.Constant(value=str() as value):
            yield from ((name, partial(setattr, node, "value", made)) for name, made in sql_changes(value))
        case ast.Return(value=ast.expr()) if ast.unparse(node) != "return None":
            yield "return None", partial(setattr, node, "value", ast.Constant(None))


def _swap(sign: ast.AST) -> str:
    return f"{type(sign).__name__} -> {OPPOSITES[type(sign)].__name__}"


def sql_changes(query: str) -> Iterator[tuple[str, str]]:
    """All mistakes that can be made in a query, or a part of one; none where tables are made, or in other text."""
    if not SQL.search(query) or "CREATE " in query:
        return
    for pattern, text in SQL_CHANGES:
        for number, found in enumerate(re.finditer(pattern, query), 1):
            made = found.expand(text)
            yield (
                f"SQL {found[0].strip()} -> {made.strip()} ({number})",
                query[: found.start()] + made + query[found.end() :],
            )


def _decides_nothing(node: ast.AST) -> bool:
    """Docstrings, logging, protocols, what only type checkers read, and `__all__`."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in LOGS
        case ast.If(test=ast.Name(id=name)):
            return name.endswith("TYPE_CHECKING")
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name == "__all__"
        case ast.ClassDef():
            return any(ast.unparse(base).startswith("Protocol") for base in node.bases)
    return False


def _can_go(node: ast.AST) -> bool:
    """Calls for their effect, and assignments to attributes."""
    match node:
        case ast.Expr(value=ast.Call() | ast.Await(value=ast.Call())):
            return True
        case ast.Assign(targets=[ast.Attribute()]) | ast.AugAssign(target=ast.Attribute()):
            return True
        case ast.AnnAssign(target=ast.Attribute(), value=ast.expr()):
            return True
    return False


def _inner(node: Any, place: Place) -> Place:
    """The place of a node in a place."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        inside = range(node.body[0].lineno, (node.end_lineno or 0) + 1)
        return Place(f"{place.scope}.{node.name}".lstrip("."), inside, called=True)
    if not isinstance(node, ast.stmt):
        return place
    body = getattr(node, "body", None)
    end = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or 0
    scope = place.scope or ", ".join(bound(node))
    if isinstance(node, ast.ClassDef) and place.scope:
        scope = f"{place.scope}.{node.name}"
    return Place(scope, range(node.lineno, end + 1), place.called)


def bound(node: ast.AST) -> list[str]:
    """The names that a statement of a module gives to what is known when it is imported."""
    match node:
        case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign():
            return [each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)]
    return []
