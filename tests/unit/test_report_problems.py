"""Problems of the files and errors as text: where, what, and what to write instead."""

import pytest
from support.answers import NASTY, TYPO, UNUSED

from reconciler.core.problem import Place, Problem
from reconciler.errors import SourceError, UsageError
from reconciler.report import text
from reconciler.report.layout import Style

COUNTS = {"provider": 2, "parameters": 3, "template": 1, "model": 2}


def test_a_problem_has_its_place_its_hint_and_its_other_places():
    assert text.problems([TYPO], "providers.d").splitlines() == [
        "providers.d/openai.yaml:7:9: error[unknown-field]: 'temperatur' is no field of a parameter set",
        "    hint: did you mean temperature?",
        "    see providers.d/shared.yaml:3:1: the set starts here",
        "1 error in 1 file.",
    ]


def test_the_last_line_counts_errors_warnings_and_files():
    assert text.problems([TYPO, TYPO, UNUSED]).splitlines()[-1] == "2 errors, 1 warning in 2 files."
    assert text.problems([UNUSED]).splitlines()[-1] == "1 warning in 1 file."


def test_valid_files_say_what_they_describe():
    assert (
        text.validation([], COUNTS, "providers.d")
        == "Valid: 2 providers, 3 parameter sets, 1 template, 2 models."
    )


def test_warnings_do_not_make_files_invalid():
    *_, last = text.validation([UNUSED], COUNTS, "providers.d").splitlines()
    assert last.startswith("Valid: ")
    assert "Valid" not in text.validation([UNUSED, TYPO], COUNTS, "providers.d")


@pytest.mark.parametrize(
    ("place", "written"),
    [
        pytest.param(Place("a.yaml", 7, 9), "p/a.yaml:7:9", id="a place"),
        pytest.param(Place("a.yaml", 0, 0), "p/a.yaml", id="a whole file"),
        pytest.param(Place("", 0, 0), "p", id="the whole directory"),
    ],
)
def test_a_place_is_written_as_editors_read_it(place, written):
    assert text.where(place, "p/") == written


def test_an_error_has_its_code_and_its_hint():
    error = UsageError("No such directory: x.", code="no-such-directory", hint="run reconciler init")
    assert text.error(error).splitlines() == [
        "error[no-such-directory]: No such directory: x.",
        "    hint: run reconciler init",
    ]
    assert text.error(UsageError("No.")) == "error[usage]: No."


def test_bad_files_are_reported_problem_by_problem():
    assert text.error(SourceError([TYPO, UNUSED]), "p") == text.problems([TYPO, UNUSED], "p")


def test_what_the_files_hold_cannot_command_the_terminal():
    nasty = Problem("error", "bad-text", Place(NASTY, 1, 1), NASTY, NASTY, NASTY)
    lines = text.problems([nasty], NASTY).splitlines()
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    assert text.error(UsageError(NASTY, code=NASTY)).isprintable()


def test_colour_marks_errors_and_warnings():
    shown = text.problems([TYPO, UNUSED], style=Style(colour=True))
    assert "\x1b[31merror[unknown-field]\x1b[0m" in shown
    assert "\x1b[33mwarning[unused]\x1b[0m" in shown
