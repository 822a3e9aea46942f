"""A function fits on a screen and a module in a head."""

import ast
import statistics

from support import checkout


def test_no_function_is_longer_than_a_screen():
    long = {
        str(place): lines
        for place, (lines, _) in checkout.function_sizes().items()
        if lines > checkout.MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}


def test_no_module_is_longer_than_allowed():
    sizes = checkout.module_sizes()
    assert {name: lines for name, lines in sizes.items() if lines > checkout.MOST_LINES_OF_A_MODULE} == {}


def test_most_functions_and_modules_are_short():
    print(checkout.figures())
    code = [lines for _, lines in checkout.function_sizes().values()]
    assert statistics.median(code) <= checkout.USUAL_LINES_OF_A_FUNCTION
    assert statistics.median(checkout.module_sizes().values()) <= checkout.USUAL_LINES_OF_A_MODULE


def test_a_function_is_counted_with_its_docstring_and_its_code_without():
    function = ast.parse(
        '@mark\ndef add(a, b):\n    """Add.\n\n    Always.\n    """\n    return a + b\n'
    ).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert (checkout.length(function), checkout.code_length(function)) == (6, 2)
