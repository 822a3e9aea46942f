"""Field values on one line: bounded, unmistakable, and harmless wherever they go."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.answers import NASTY

from reconciler.core.changes import FieldChange
from reconciler.report import block, values
from reconciler.report.escape import cell, code_span, fenced, printable, prose

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
ANYTHING = st.text(st.characters(codec=None), max_size=200)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "(unset)", id="unset"),
        pytest.param(0.7, "0.7", id="a number"),
        pytest.param("0.7", '"0.7"', id="text that reads as a number"),
        pytest.param(True, "true", id="a boolean"),
        pytest.param("true", '"true"', id="text that reads as a boolean"),
        pytest.param("", '""', id="empty text"),
        pytest.param("(unset)", '"(unset)"', id="text that reads as unset"),
        pytest.param("https://api.openai.com/v1", "https://api.openai.com/v1", id="a URL"),
        pytest.param("Answer:", '"Answer:"', id="a trailing colon"),
        pytest.param("two words", '"two words"', id="spaces"),
        pytest.param(["a", "b"], '["a", "b"]', id="a list"),
        pytest.param("a\x1b[2J", '"a\\u001b[2J"', id="a command to the terminal"),
        pytest.param("x\u202ey", '"x\\u202ey"', id="text that runs backwards"),
        pytest.param("日本語", '"日本語"', id="other scripts stay readable"),
    ],
)
def test_a_value_is_shown_so_that_it_is_not_mistaken(value, text):
    assert values.shown(value) == text


def test_a_long_text_is_cut_and_its_length_given():
    assert values.shown("word " * 1000).endswith('…" (5,000 characters)')
    assert len(values.shown("word " * 1000)) < 110


def test_a_long_list_is_cut_and_its_length_given():
    assert values.shown(["word"] * 1000).endswith("… (8,000 characters)")


def test_the_difference_of_two_long_texts_is_in_sight():
    before, after = "same " * 100 + "old end", "same " * 100 + "new end"
    assert "old end" in values.transition(before, after)
    assert "new end" in values.transition(before, after)


def test_a_field_that_is_set_or_removed_says_so():
    assert values.field_line(FieldChange("top_k", None, 5)) == "top_k: (unset) -> 5"
    assert values.field_line(FieldChange("top_k", 5, None)) == "top_k: 5 -> (unset)"
    assert values.field_value(FieldChange("top_k", None, 5)) == "top_k: 5"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(KEY, "env:A_API_KEY", id="a key is taken away"),
        pytest.param("env:A_API_KEY", KEY, id="a key comes in"),
        pytest.param(None, KEY, id="a key is new"),
    ],
)
@pytest.mark.parametrize("path", ["credentials.api_key", "kind_spec.headers.X-Key"])
def test_a_key_is_masked_on_either_side_of_a_change(path, before, after):
    change = FieldChange(path, before, after)
    for line in (values.field_line(change), values.field_value(change)):
        assert KEY not in line
    assert '"***"' in values.field_line(change)


@given(ANYTHING)
def test_nothing_unprintable_reaches_a_terminal(text):
    assert printable(text).isprintable()
    assert values.shown(text).isprintable()
    assert values.transition(text, text + "x").isprintable()
    assert all(line.isprintable() for line in block.lines({text: [text, {"a": text}]}))


@given(ANYTHING)
def test_printable_text_stays_as_it_is(text):
    if text.isprintable():
        assert printable(text) == text


class CoreNumbers(yaml.SafeLoader):
    """YAML 1.2, where `1e+16` is a number."""


CoreNumbers.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?$"), list("-+0123456789")
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(), JSON_VALUES, max_size=3))
def test_a_block_reads_back_as_what_it_shows(value):
    assert yaml.load("\n".join(block.lines(value)), Loader=CoreNumbers) == value


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        pytest.param("plain", "`plain`", id="plain"),
        pytest.param("a`b", "``a`b``", id="a backtick"),
        pytest.param("`b`", "`` `b` ``", id="backticks at the ends"),
        pytest.param("a\nb", "`a\\nb`", id="a newline"),
        pytest.param("", "", id="nothing"),
        pytest.param(" ", "` `", id="a space"),
    ],
)
def test_a_code_span_holds_anything(text, markdown):
    assert code_span(text) == markdown


def test_a_pipe_does_not_end_a_cell():
    assert cell("a|b") == r"`a\|b`"


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        pytest.param("<script>", "<script>", id="a tag"),
        pytest.param("@team", "@team", id="a mention"),
        pytest.param("see #12", "#12", id="a reference"),
        pytest.param("https://evil.example", "://", id="a link"),
        pytest.param("WWW.evil.example", "WWW.", id="a link without a scheme"),
        pytest.param("[x](y)", "[x]", id="a written link"),
        pytest.param("&lt;", "&lt", id="an entity"),
        pytest.param("a\nb", "\n", id="a newline"),
        pytest.param("a|b", "a|", id="a cell's end"),
        pytest.param("*bold*", "*b", id="emphasis"),
    ],
)
def test_prose_makes_nothing_of_foreign_text(text, forbidden):
    assert forbidden in text
    assert forbidden not in without_escapes(prose(text))


def without_escapes(text):
    return re.sub(r"\\.", "", text)


def test_no_line_closes_a_block():
    first, *_, last = fenced(["```", "````text"]).splitlines()
    assert (first, last) == ("`````text", "`````")


def test_nasty_text_is_one_printable_line_everywhere():
    for form in (printable, code_span, cell, prose, values.shown):
        assert form(NASTY).isprintable()
