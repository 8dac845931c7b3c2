"""Which names a piece of a test takes, binds and changes, as far as its syntax tells."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

EVERYWHERE = frozenset({*vars(builtins), "__name__"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_SCOPES = (*_FUNCTIONS, ast.Lambda)


def free(node: ast.AST) -> frozenset[str]:
    """Names that it takes from around it."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            return frozenset({name})
        case ast.Lambda(args=args, body=body):
            return free(args) | (free(body) - _parameters(args))
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            own = _parameters(node.args) | bound_by(node.body)
            outside = [node.args, *node.decorator_list, *filter(None, [node.returns])]
            return _free_in(outside) | (_free_in(node.body) - own)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            first, targets = node.generators[0], (part.target for part in node.generators)
            own = frozenset(name for target in targets for name in _named(target))
            return free(first.iter) | (_free_in(ast.iter_child_nodes(node)) - own)
    return _free_in(ast.iter_child_nodes(node))


def _free_in(nodes: Iterable[ast.AST]) -> frozenset[str]:
    return frozenset[str]().union(*map(free, nodes))


def _parameters(args: ast.arguments) -> frozenset[str]:
    return frozenset(part.arg for part in ast.walk(args) if isinstance(part, ast.arg))


def of_inner_scopes(node: ast.AST) -> frozenset[str]:
    """Names of loops in expressions, of parameters, and of what functions store."""
    found: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.comprehension):
            found |= _named(part.target)
        elif isinstance(part, _SCOPES):
            found |= _parameters(part.args)
            if isinstance(part, _FUNCTIONS):
                found |= {
                    name.id
                    for name in ast.walk(part)
                    if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
                }
    return frozenset(found)


def binds(node: ast.stmt) -> frozenset[str]:
    """Names that a statement gives a value, or takes it from."""
    if isinstance(node, _DEFINITIONS):
        return frozenset({node.name})
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            found.add(part.id)
        elif isinstance(part, ast.alias):
            found.add(of_alias(part))
        elif isinstance(part, _DEFINITIONS) or (isinstance(part, ast.ExceptHandler) and part.name):
            found.add(str(part.name))
    return frozenset(found)


def bound_by(body: Iterable[ast.stmt]) -> frozenset[str]:
    """All that statements give a value."""
    return frozenset[str]().union(*map(binds, body))


def imported(body: Iterable[ast.stmt]) -> frozenset[str]:
    """What statements import."""
    parts = [part for node in body for part in ast.walk(node)]
    return frozenset(of_alias(part) for part in parts if isinstance(part, ast.alias))


def of_alias(alias: ast.alias) -> str:
    """The name that an import binds."""
    return alias.asname or alias.name.partition(".")[0]


def defines(node: ast.stmt) -> bool:
    """Whether a statement imports, or defines a function or class."""
    return isinstance(node, (*_DEFINITIONS, ast.Import, ast.ImportFrom))


def changes(node: ast.stmt) -> frozenset[str]:
    """Names that a statement binds, or whose value it may change: any in a call, `tree.insert(3)`.

    A definition changes nothing before it is called.
    """
    found = set(binds(node))
    for part in () if isinstance(node, _DEFINITIONS) else ast.walk(node):
        if isinstance(part, ast.Call) or _is_target(part):
            found |= _named(part)
    return frozenset(found - EVERYWHERE)


def filled(node: ast.stmt, held: frozenset[str]) -> frozenset[str]:
    """Names whose value a statement may put something into: `ns` of `ns.append(Node(1))`.

    held: names of modules and the like, whose functions fill their arguments
    (`heapq.heappush(ns, Node(1))`), as functions without a dot do
    """
    found = set[str]()
    for part in () if isinstance(node, _DEFINITIONS) else ast.walk(node):
        if _is_target(part):
            found |= _root(part)
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            call = part.value
            owner = _root(call.func) if isinstance(call.func, ast.Attribute) else set[str]()
            if owner - held:
                found |= owner
            else:
                found |= set[str]().union(*map(_named, call.args))
    return frozenset(found)


def _is_target(node: ast.AST) -> bool:
    """Whether it is an attribute or item that is set or deleted."""
    return isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)


def _root(node: ast.AST) -> set[str]:
    """The name that a chain of attributes, items and calls begins with, if it does."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _named(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
