"""A masked-diffusion engine for code, usable on its own.

    import trueval.diffusion as diffusion

    infiller = diffusion.load("trueval-coder-3m")  # ships with trueval; or a folder, or a hub id
    filled = infiller.fill("def add(a, b):\\n", "\\n    return total\\n", length=8)
    print(filled.text)

Needs torch: `pip install 'trueval[transformers]'`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trueval.errors import MissingExtraError

if TYPE_CHECKING:
    from trueval.diffusion.adapters import Adapter
    from trueval.diffusion.agreement import Agreement, measure_agreement
    from trueval.diffusion.engine import Engine
    from trueval.diffusion.gaps import Filling, Gap
    from trueval.diffusion.infill import Filled, Infiller, load
    from trueval.diffusion.model import Model, load_model
    from trueval.diffusion.settings import Settings

_HOMES = {
    "Adapter": "adapters",
    "Agreement": "agreement",
    "Engine": "engine",
    "Filled": "infill",
    "Filling": "gaps",
    "Gap": "gaps",
    "Infiller": "infill",
    "Model": "model",
    "Settings": "settings",
    "load": "infill",
    "load_model": "model",
    "measure_agreement": "agreement",
}

__all__ = [
    "Adapter",
    "Agreement",
    "Engine",
    "Filled",
    "Filling",
    "Gap",
    "Infiller",
    "Model",
    "Settings",
    "load",
    "load_model",
    "measure_agreement",
]


def __getattr__(name: str) -> Any:
    """The public names, each imported on first use: settings are read without torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors", "tokenizers"):
            raise
        raise MissingExtraError(
            error.name, extra="transformers", needed_for="trueval.diffusion"
        ) from None
