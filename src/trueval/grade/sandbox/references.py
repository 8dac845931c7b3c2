"""References to what can be imported by name: how a test's `math` or `str.upper` gets across."""

from __future__ import annotations

import operator
import sys
import types
from typing import Any

from trueval.grade.sandbox.candidate import REFERENCE

_NAMED = (
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,  # a class method
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
)


def referenced(value: Any) -> Any:
    """`value` with what can be imported by name replaced by a reference to it."""
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        return kind(map(referenced, value))
    if kind is dict:
        return {referenced(key): referenced(item) for key, item in value.items()}
    if kind is types.ModuleType:
        return f"{REFERENCE}{value.__name__}:"
    if isinstance(value, _NAMED):
        for module, name in _names(value):
            if _is_named(value, module, name):
                return f"{REFERENCE}{module}:{name}"
    return value


def _names(value: Any) -> list[tuple[Any, Any]]:
    """Where a class or function may be found: module, and name in it."""
    name = getattr(value, "__qualname__", None)
    # A method of a built-in class has no module, but its class has.
    owner = getattr(value, "__objclass__", None) or getattr(value, "__self__", None)
    modules = (getattr(value, "__module__", None), getattr(owner, "__module__", None))
    # `types.FunctionType` says that it is `builtins.function`, and nothing there has that name.
    elsewhere = [("types", alias) for alias, kind in vars(types).items() if kind is value]
    return [(module, name) for module in modules if module] + elsewhere


def _is_named(value: Any, module: Any, name: Any) -> bool:
    try:
        found = operator.attrgetter(name)(sys.modules[module])
    except (AttributeError, KeyError, TypeError):
        return False  # a lambda, or something that a function made
    # A class method is another object each time that it is looked up.
    bound = types.BuiltinFunctionType | types.MethodType
    return found is value or (isinstance(value, bound) and bool(found == value))
