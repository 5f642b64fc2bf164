"""The worked examples in the core's docstrings."""

import doctest
import importlib
import pkgutil

import pytest

import ivrd.core

MODULES = [f"ivrd.core.{module.name}" for module in pkgutil.iter_modules(ivrd.core.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_hold(name: str) -> None:
    failures, _ = doctest.testmod(importlib.import_module(name))
    assert failures == 0
