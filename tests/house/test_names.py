"""Names say what a thing is for: words that fit everything are not used, and tests are sentences."""

import re
from collections import Counter
from pathlib import PurePosixPath

import pytest
from support import checkout

# Each of them would fit anything, so it tells nothing.
EMPTY_WORDS = frozenset(
    {"util", "utils", "helper", "helpers", "manager", "handler", "handle", "process"}
    | {"data", "info", "sync", "misc", "common", "stuff"}
)
FEWEST_WORDS_OF_A_SENTENCE = 2
# After so many words a number at the end belongs to the sentence, such as a version; before, it only counts.
FEWEST_WORDS_BEFORE_A_NUMBER = 4


def words(name: str) -> list[str]:
    """The words of a name, `snake_case` and `CamelCase` alike, in lower case.

    >>> words("RowManager"), words("_load_all")
    (['row', 'manager'], ['load', 'all'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def empty_words(path: str) -> set[str]:
    """The words of a module's path that tell nothing."""
    return {word for part in PurePosixPath(path).with_suffix("").parts for word in words(part)} & EMPTY_WORDS


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("reconciler/utils.py", {"utils"}, id="a stray utils"),
        pytest.param("reconciler/store/row_helpers.py", {"helpers"}, id="a word of a name"),
        pytest.param("reconciler/manager/rows.py", {"manager"}, id="a folder"),
        pytest.param("reconciler/store/observe.py", set(), id="a good name"),
        pytest.param("reconciler/core/metadata.py", set(), id="part of another word"),
    ],
)
def test_a_path_that_tells_nothing_is_found(path, found):
    assert empty_words(path) == found


def test_no_module_has_a_name_that_tells_nothing():
    named = {name: empty_words(name) for name in checkout.modules("reconciler", "migrations", "tests")}
    assert {name: found for name, found in named.items() if found} == {}


def test_no_function_or_class_has_a_name_that_tells_nothing():
    found = [
        str(place)
        for name in checkout.modules("reconciler", "migrations")
        for place, _ in checkout.definitions(name)
        if EMPTY_WORDS & set(words(place.name))
    ]
    assert found == []


def test_names_of_tests_are_sentences_without_numbers_for_names():
    found = [
        str(place)
        for name in checkout.modules("tests")
        for place, _ in checkout.functions(name)
        if place.name.startswith("test_") and not is_sentence(place.name)
    ]
    assert found == []


def is_sentence(name: str) -> bool:
    """Whether a test's name has words enough, and is told apart by more than a number at its end."""
    spoken = name.removeprefix("test_").split("_")
    counted = sum(not word.isdigit() for word in spoken)
    fewest = FEWEST_WORDS_BEFORE_A_NUMBER if spoken[-1].isdigit() else FEWEST_WORDS_OF_A_SENTENCE
    return counted >= fewest


@pytest.mark.parametrize("name", ["test_diff", "test_diff_2", "test_issue_12", "test_that_it_works_1"])
def test_a_name_that_is_no_sentence_is_found(name):
    assert not is_sentence(name)


@pytest.mark.parametrize("name", ["test_sets_inherit", "test_scalars_are_those_of_yaml_1_2"])
def test_a_sentence_may_be_short_and_name_a_version(name):
    assert is_sentence(name)


def test_names_of_test_modules_are_unique():
    names = Counter(PurePosixPath(name).name for name in checkout.modules("tests"))
    assert [name for name, times in names.items() if times > 1 and name != "conftest.py"] == []
