"""Comparing specs: by value, with the nested fields named one by one."""

import sys

import pytest

from reconciler.core.changes import FieldChange
from reconciler.core.fields import field_changes, is_same


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        pytest.param({"temperature": 0.7}, {"temperature": 0.9}, [("temperature", 0.7, 0.9)], id="flat"),
        pytest.param({"temperature": 0.7}, {}, [("temperature", 0.7, None)], id="unset"),
        pytest.param({}, {"top_k": 5}, [("top_k", None, 5)], id="set"),
        pytest.param({"top_k": 1}, {"top_k": 1.0}, [], id="the number's type is no difference"),
        pytest.param(
            {"labels": {"a": "1", "b": "2"}},
            {"labels": {"a": "1", "b": "3"}},
            [("labels.b", "2", "3")],
            id="label",
        ),
        pytest.param({"labels": {"a": "1"}}, {}, [("labels.a", "1", None)], id="the last label goes"),
        pytest.param(
            {"stop_sequences": ["a"]},
            {"stop_sequences": ["b"]},
            [("stop_sequences", ["a"], ["b"])],
            id="list",
        ),
        pytest.param(
            {"extra": {"n": {"deep": [1, 2]}}},
            {"extra": {"n": {"deep": [1, 3]}, "m": 1}},
            [("extra.m", None, 1), ("extra.n.deep[1]", 2, 3)],
            id="nested",
        ),
        pytest.param(
            {"extra": {"s": 1}}, {"extra": {"s": True}}, [("extra.s", 1, True)], id="true is not one"
        ),
        pytest.param(
            {"extra": {"s": [0]}},
            {"extra": {"s": [False]}},
            [("extra", {"s": [0]}, {"s": [False]})],
            id="false is not zero",
        ),
    ],
)
def test_the_fields_that_differ_are_named(before, after, changes):
    assert list(field_changes(before, after)) == [FieldChange(*change) for change in changes]
    assert is_same(before, after) == (not changes)


def test_flat_fields_never_need_deepdiff(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepdiff", None)
    assert field_changes({"top_k": 1}, {"top_k": 2}) == (FieldChange("top_k", 1, 2),)
