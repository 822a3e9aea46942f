"""The examples in docstrings are true."""

import doctest
import importlib

import pytest
from support import checkout


def module_name(path: str) -> str:
    """The name that a module of the checkout is imported by."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@pytest.mark.parametrize("name", [name for name in checkout.modules() if ">>>" in checkout.text_of(name)])
def test_the_examples_of_a_module_are_true(name):
    outcome = doctest.testmod(importlib.import_module(module_name(name)), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0
