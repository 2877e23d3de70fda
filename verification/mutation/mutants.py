"""The mutants of a source file: each is the file with one small mistake in the body of one function.

Left alone, because a change there is no wrong formula: defaults of settings and parameters, annotations, docstrings and
messages, what a `raise` says, and integers that are an axis, an index or an argument of a method (a wrong shape fails
at once and would flatter the rate).
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}
OPERATORS |= {ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
BORDERS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
OPPOSITES = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
EXTREMES = {"min": "max", "amin": "amax", "minimum": "maximum", "argmin": "argmax"}
EXTREMES |= {new: old for old, new in EXTREMES.items()}
SYMMETRIC = {"zip", "isinstance", "cat", "stack", *EXTREMES}
NUMERIC_METHODS = {"clamp", "clip", "pow", "full"}
"""Methods whose integers are values rather than axes."""


@dataclass(frozen=True)
class Mutant:
    """One mistake: the place, and the expression before and after."""

    file: str
    line: int
    before: str
    after: str
    node: ast.expr
    replacement: ast.expr

    @property
    def name(self) -> str:
        return f"{self.file}:{self.line}: {self.before} -> {self.after}"


def mutants(file: str, tree: ast.Module) -> list[Mutant]:
    """All mutants of a file, in the order of its text."""
    found: dict[str, Mutant] = {}
    for node in mutable(tree):
        for replacement in replacements(node):
            mutant = Mutant(file, node.lineno, ast.unparse(node), ast.unparse(replacement), node, replacement)
            found.setdefault(mutant.name, mutant)
    return list(found.values())


def mutated(tree: ast.Module, mutant: Mutant) -> str:
    """The text of the file with the mistake in it."""
    twin = copy.deepcopy(tree, {id(mutant.node): mutant.node})  # the one node keeps its identity, to be found again
    return ast.unparse(ast.fix_missing_locations(Replace(mutant.node, mutant.replacement).visit(twin))) + "\n"


class Replace(ast.NodeTransformer):
    """Put one expression in the place of another."""

    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def mutable(tree: ast.AST, inside: bool = False) -> Iterator[ast.expr]:
    """The expressions in the bodies of functions in which a mistake is one in a formula."""
    for child in children(tree):
        if isinstance(child, ast.FunctionDef | ast.Lambda):
            yield from mutable(child, True)
            continue
        if inside and isinstance(child, ast.expr):
            yield child
        yield from mutable(child, inside)


def children(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.FunctionDef(body=body):
            yield from body
        case ast.Lambda(body=body):
            yield body
        case ast.Raise() | ast.JoinedStr() | ast.Expr(value=ast.Constant()):
            return
        case ast.AnnAssign(value=value):
            yield from [value] if value else []
        case ast.Subscript(value=value):
            yield value
        case ast.Call(func=func, args=args, keywords=keywords):
            numeric = isinstance(func, ast.Name) or called(func) in NUMERIC_METHODS
            yield func
            yield from (argument for argument in args if numeric or not integer(argument))
            yield from (word.value for word in keywords if numeric or not integer(word.value))
        case _:
            yield from ast.iter_child_nodes(node)


def integer(node: ast.AST) -> bool:
    """An integer, with a minus sign or without."""
    value = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(value, ast.Constant) and isinstance(value.value, int)


def called(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def replacements(node: ast.expr) -> Iterator[ast.expr]:
    """The mistakes that one expression may hold."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in OPERATORS and not (text(left) or text(right)):
            yield ast.BinOp(left, OPERATORS[type(op)](), right)
            yield left
            if isinstance(op, ast.Mult | ast.Add):
                yield right
            if isinstance(op, ast.Sub):
                yield ast.BinOp(right, op, left)
        case ast.Compare(left, [op], right):
            for table in (BORDERS, OPPOSITES):
                if other := table.get(type(op)):
                    yield ast.Compare(left, [other()], right)
        case ast.UnaryOp(ast.USub() | ast.Not() | ast.Invert(), operand):
            yield operand
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
            yield ast.Constant(value + 1 if isinstance(value, int) else 2 * value if value else 1.0)
        case ast.Name(id="gamma", ctx=ast.Load()) | ast.Attribute(attr="gamma", ctx=ast.Load()):
            # One, in the shape of gamma.
            yield ast.BinOp(ast.BinOp(node, ast.Mult(), ast.Constant(0)), ast.Add(), ast.Constant(1))
        case ast.Call(func, args, keywords):
            yield from wrong_calls(func, args, keywords)


def wrong_calls(func: ast.expr, args: list[ast.expr], keywords: list[ast.keyword]) -> Iterator[ast.expr]:
    """The other extreme, the other end of a clamp, two arguments exchanged."""
    name = called(func)
    if name in EXTREMES:
        new = EXTREMES[name]
        yield ast.Call(
            ast.Attribute(func.value, new) if isinstance(func, ast.Attribute) else ast.Name(new), args, keywords
        )
    if name in ("clamp", "clip") and len(keywords) == 1:
        end = {"min": "max", "max": "min"}[keywords[0].arg or ""]
        yield ast.Call(func, args, [ast.keyword(end, keywords[0].value)])
    first = 1 if name == "where" else 0
    pair = args[first : first + 2]
    plain = all(isinstance(argument, ast.Name) for argument in pair)
    if len(pair) == 2 and name not in SYMMETRIC and name.islower() and (plain or first):
        yield ast.Call(func, [*args[:first], *pair[::-1], *args[first + 2 :]], keywords)


def text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
