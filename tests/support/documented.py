"""Which examples of docstrings need a registry to run, and what they find there."""

from __future__ import annotations

from support import checkout

# What applications call: their examples speak to a registry.
_WITH_A_REGISTRY = ("reconciler/runtime/", "reconciler/wiring/opening.py")


def module_name(path: str) -> str:
    """The name that a module of the checkout is imported by."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def modules_with_examples(*, with_a_registry: bool) -> list[str]:
    """The modules whose docstrings hold examples that a registry must be there for, or all others."""
    return [
        name
        for name in checkout.modules()
        if ">>>" in checkout.text_of(name) and name.startswith(_WITH_A_REGISTRY) is with_a_registry
    ]
