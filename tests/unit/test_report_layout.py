"""Tables, colour, counts and times as plain text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from reconciler.report.layout import PLAIN, Cell, Style, columns, counted, moment, stages, table

ROWS = [(Cell("a"), Cell("long detail that does not fit", "red")), (Cell("bbb"), Cell("short"))]


def test_columns_are_aligned_and_lines_end_where_they_end():
    assert table(("X", "DETAIL"), ROWS) == [
        "X    DETAIL",
        "a    long detail that does not fit",
        "bbb  short",
    ]


def test_the_last_column_is_wrapped_to_the_screen():
    assert table(("X", "DETAIL"), ROWS, Style(width=30)) == [
        "X    DETAIL",
        "a    long detail that does not",
        "     fit",
        "bbb  short",
    ]


def test_wide_characters_keep_columns_aligned():
    lines = table(("X", "Y"), [(Cell("日本"), Cell("1")), (Cell("abcd"), Cell("2"))])
    assert lines == ["X     Y", "日本  1", "abcd  2"]
    assert columns("e\u0301") == 1


def test_colour_is_only_used_where_there_is_colour():
    assert "\x1b" not in "".join(table(("X", "DETAIL"), ROWS, PLAIN))
    coloured = table(("X", "DETAIL"), ROWS, Style(colour=True))
    assert coloured[1].endswith("\x1b[31mlong detail that does not fit\x1b[0m")


@pytest.mark.parametrize(("number", "text"), [(0, "0 entities"), (1, "1 entity"), (4800, "4,800 entities")])
def test_a_count_has_its_noun(number, text):
    assert counted(number, "entity", "entities") == text


def test_moments_are_in_universal_time():
    abroad = datetime(2026, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert moment(abroad) == moment(datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) == "2026-03-01 12:00:00Z"
    assert moment(None) == "never"


def test_stages_have_their_seconds():
    assert stages({"load": 0.021, "verify": 12.0}) == "load 0.02 s, verify 12.00 s"
