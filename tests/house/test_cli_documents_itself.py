"""Every verb has help with an example and stands in the README; every option has an environment twin."""

import re

import pytest
import typer
from support import checkout

from reconciler.cli import main

ALONE = {"--help", "-h", "--version"}


def verbs(group=None, prefix=""):
    """Every verb with the words that call it."""
    for name, command in (group or typer.main.get_command(main.application())).commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


VERBS = dict(verbs())
OPTIONS = [
    pytest.param(option, id=f"{words} {option.opts[0]}")
    for words, command in VERBS.items()
    for option in command.params
    if option.param_type_name == "option" and not set(option.opts) & ALONE
]


def test_these_are_the_verbs_in_the_order_of_use():
    assert " ".join(VERBS).split(" db ")[0] == (
        "init validate render plan apply verify drift list show history export schema"
    )
    assert [words for words in VERBS if words.startswith("db ")] == [
        "db upgrade",
        "db current",
        "db url",
        "db stop",
    ]


@pytest.mark.parametrize("words", VERBS)
def test_a_verb_has_help_with_an_example(words):
    command = VERBS[words]
    assert command.help
    assert f"reconciler {words}" in command.epilog
    assert command.epilog.startswith("\b\nExamples:\n")


@pytest.mark.parametrize("words", VERBS)
def test_the_first_line_of_help_fits_into_the_list_of_verbs(words):
    first = VERBS[words].help.splitlines()[0]
    assert first.endswith(".")
    assert len(first) <= 66


@pytest.mark.parametrize("words", VERBS)
def test_the_readme_mentions_every_verb(words):
    assert re.search(rf"reconciler {words}\b|`{words}[` ]", checkout.text_of("README.md")), words


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_has_help_and_a_twin_in_the_environment(option):
    name = option.opts[0].removeprefix("--").replace("-", "_").upper()
    assert option.help
    assert option.envvar == f"RECONCILER_{name}"
    assert option.show_envvar


@pytest.mark.parametrize("words", VERBS)
def test_an_argument_has_help(words):
    arguments = [one for one in VERBS[words].params if one.param_type_name == "argument"]
    assert all(argument.help for argument in arguments)


@pytest.mark.parametrize("words", VERBS)
def test_the_examples_use_options_that_exist(words):
    known = {name for option in VERBS[words].params for name in option.opts}
    used = {word for word in VERBS[words].epilog.split() if word.startswith("--")}
    assert used <= known
