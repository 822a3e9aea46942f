"""The examples in docstrings are true; those that need a registry have their own test."""

import doctest
import importlib

import pytest
from support.documented import module_name, modules_with_examples


@pytest.mark.parametrize("name", modules_with_examples(with_a_registry=False))
def test_the_examples_of_a_module_are_true(name):
    outcome = doctest.testmod(importlib.import_module(module_name(name)), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0
