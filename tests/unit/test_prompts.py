"""A template and a question become a prompt, by concatenation alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.prompt import Prompt, prompt_of

WHOLE = {
    "system_prompt": "You are helpful.",
    "context_prefix": "Context:",
    "query_prefix": "Question:",
    "answer_prefix": "Answer:",
}


@pytest.mark.parametrize(
    ("template", "context", "prompt"),
    [
        pytest.param(None, "", Prompt("Why?"), id="no template"),
        pytest.param({}, "It is.", Prompt("It is.\n\nWhy?"), id="an empty one"),
        pytest.param(WHOLE, "", Prompt("Question: Why?\n\nAnswer:", "You are helpful."), id="no context"),
        pytest.param(
            WHOLE,
            "It is.",
            Prompt("Context: It is.\n\nQuestion: Why?\n\nAnswer:", "You are helpful."),
            id="everything",
        ),
    ],
)
def test_a_prompt_is_put_together(template, context, prompt):
    assert prompt_of(template, "Why?", context) == prompt


def test_both_parts_are_one_text_where_an_endpoint_takes_one():
    assert Prompt("Why?", "Be brief.").as_one_text == "Be brief.\n\nWhy?"
    assert Prompt("Why?").as_one_text == "Why?"


@given(query=st.text(min_size=1), prefix=st.text(min_size=1))
def test_nothing_is_formatted_or_evaluated(query, prefix):
    braces = "{0} {query!r} %s $x {{model}}"
    prompt = prompt_of({"query_prefix": prefix + braces, "system_prompt": braces}, query + braces)
    assert prompt.user == f"{prefix}{braces} {query}{braces}"
    assert prompt.system == braces
