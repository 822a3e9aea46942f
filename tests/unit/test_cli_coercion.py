"""What is written on a command line, as values; what is wrong is said with the option's name."""

from pathlib import Path

import pytest
import typer

from reconciler.cli import coercion, main


def parsed(verb, *words):
    """The values that a verb would be called with."""
    command = typer.main.get_command(main.application()).commands[verb]
    return command.make_context(verb, list(words)).params


@pytest.mark.parametrize(
    ("verb", "words", "name", "value"),
    [
        pytest.param("plan", ["--output", "json"], "output", "json", id="a choice"),
        pytest.param("plan", [], "output", "text", id="its default"),
        pytest.param("plan", ["conf"], "directory", Path("conf"), id="a directory"),
        pytest.param("plan", [], "directory", Path("providers.d"), id="the default directory"),
        pytest.param("apply", ["--lock-timeout", "0"], "lock_timeout", 0.0, id="a number"),
        pytest.param("apply", [], "lock_timeout", None, id="no number"),
        pytest.param("history", ["--limit", "3"], "limit", 3, id="a whole number"),
        pytest.param("apply", ["--yes"], "yes", True, id="a flag"),
        pytest.param("apply", [], "yes", False, id="no flag"),
        pytest.param(
            "plan", ["--accept", "empty", "--accept", "a=b c"], "accept", ["empty", "a=b c"], id="several"
        ),
        pytest.param(
            "verify", ["model:a/b", "model:c/d"], "addresses", ["model:a/b", "model:c/d"], id="words"
        ),
        pytest.param("show", ["model:x/y z"], "address", "model:x/y z", id="one word"),
        pytest.param("verify", ["--probe", "reach"], "probe", "reach", id="an optional choice"),
    ],
)
def test_words_become_values(verb, words, name, value):
    assert parsed(verb, *words)[name] == value


@pytest.mark.parametrize(
    ("verb", "words", "told"),
    [
        pytest.param("plan", ["--output", "yaml"], "'yaml' is none of text, json, markdown", id="a choice"),
        pytest.param(
            "schema", ["--output", "markdown"], "'markdown' is none of text, json", id="no such form"
        ),
        pytest.param("apply", ["--lock-timeout", "soon"], "'soon' is not a number", id="no number"),
        pytest.param(
            "apply", ["--lock-timeout", "nan"], "'nan' is not a finite number", id="no finite number"
        ),
        pytest.param("apply", ["--lock-timeout=-1"], "'-1' is too small; the least is 0", id="too small"),
        pytest.param("history", ["--limit", "1.5"], "'1.5' is not a whole number", id="no whole number"),
        pytest.param("history", ["--limit", "0"], "'0' is too small; the least is 1", id="nothing"),
    ],
)
def test_what_is_wrong_is_said_with_the_options_name(verb, words, told):
    with pytest.raises(typer.BadParameter) as raised:
        parsed(verb, *words)
    assert told in raised.value.format_message()
    assert words[0].partition("=")[0] in raised.value.format_message()


@pytest.mark.parametrize(
    ("word", "value"), [("1", True), ("true", True), ("YES", True), ("0", False), ("off", False)]
)
def test_a_flag_can_be_set_by_the_environment(monkeypatch, word, value):
    monkeypatch.setenv("RECONCILER_ADOPT", word)
    assert parsed("plan")["adopt"] is value


def test_a_flag_in_the_environment_is_never_guessed(monkeypatch):
    monkeypatch.setenv("RECONCILER_YES", "perhaps")
    with pytest.raises(typer.BadParameter, match="neither true nor false"):
        parsed("apply")


def test_several_values_in_the_environment_are_separated_by_spaces(monkeypatch):
    monkeypatch.setenv("RECONCILER_ACCEPT", "empty deactivate=4")
    assert parsed("plan")["accept"] == ["empty", "deactivate=4"]


def test_every_parameter_is_read_without_the_parsers_own_way():
    command = typer.main.get_command(main.application()).commands["apply"]
    context = command.make_context("apply", [])
    assert all(isinstance(one._runtime_param, coercion.Coercion) for one in command.get_params(context))
