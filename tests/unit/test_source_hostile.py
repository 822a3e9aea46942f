"""Files that mean harm: each ends early, with one clear problem, in little time and memory."""

import gc

import pytest
from support.documents import HERE, only, state
from yaml import Mark
from yaml.scanner import ScannerError

from reconciler.source import syntax
from reconciler.source.load import state_of
from reconciler.source.nodes import build
from reconciler.source.places import packed

# Nine levels of nine: as many values as there are, were aliases written out.
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        pytest.param("[" * 50_000, "too-deep", "100 levels", id="brackets"),
        pytest.param("{a: " * 50_000, "too-deep", "100 levels", id="braces"),
        pytest.param("- " * 5000, "too-deep", "100 levels", id="dashes"),
        pytest.param(BOMB, "alias", "1000000 values", id="an alias bomb"),
        pytest.param("a: &a x\nb: [" + "*a," * 10_001 + "]", "alias", "10000 aliases", id="many aliases"),
        pytest.param("a: &a [*a]", "alias", "inside", id="a circle"),
        pytest.param("a: &a {b: {<<: *a}}", "alias", "inside", id="a circle of merges"),
        pytest.param(
            "a: &a " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 50 + "*a" + "]" * 50,
            "too-deep",
            "100",
            id="deep aliases",
        ),
        pytest.param("a: " + "9" * 100_000, "out-of-range", "too large", id="a huge number"),
        pytest.param("a: -" + "9" * 20, "out-of-range", "too large", id="a large negative number"),
        pytest.param("a: *" + "b" * 1000, "alias", "nothing above", id="a long name of an alias"),
        pytest.param("a: &", "yaml-syntax", "", id="an anchor without a name"),
        pytest.param("\t" * 1000, "yaml-syntax", "tab", id="tabs"),
        pytest.param('"' * 99_999, "yaml-syntax", "", id="quotes"),
        pytest.param("? " * 5000, "wrong-type", "a key must be text", id="question marks"),
        pytest.param("%X", "yaml-syntax", "", id="a directive"),
    ],
)
def test_a_hostile_text_ends_with_one_problem(text, code, message):
    built = build(text)
    (fault,) = [fault for fault in built.faults if fault.code == code][:1]
    assert message in fault.message
    assert len(built.faults) <= 2


def test_exactly_a_hundred_levels_are_taken():
    assert build("[" * 100 + "]" * 100).faults == []
    assert [fault.code for fault in build("[" * 101 + "]" * 101).faults] == ["too-deep"]


def test_exactly_ten_thousand_aliases_are_taken():
    assert build("a: &a x\nb: [" + "*a," * 10_000 + "]").faults == []


@pytest.mark.parametrize(
    "content", [b"", b"\xef\xbb\xbf", b"\x00", b"\xff", b"\x80", b"---", b"...", b"%", b"\xc3"]
)
def test_any_bytes_give_a_state(content):
    assert state_of([("a.yaml", content)], identity=HERE).problems


@pytest.mark.parametrize(
    ("count", "told", "last"),
    [
        pytest.param(900, 900, "f899 is no field here", id="hundreds"),
        pytest.param(3000, 1001, "2000 more errors", id="thousands"),
        pytest.param(60_000, 1, "60000 errors", id="more than anyone can list"),
    ],
)
def test_errors_are_told_up_to_a_thousand_a_file(count, told, last):
    text = "version: 1\nparameters:\n  s: {" + ", ".join(f"f{number}: 1" for number in range(count)) + "}\n"
    errors = [problem for problem in state(text).problems if problem.severity == "error"]
    assert len(errors) == told
    assert last in errors[-1].message


def test_keys_that_stand_twice_are_told_up_to_a_thousand_a_file():
    assert len(build("a: 1\n" * 5000).faults) == 1000


def test_many_references_to_nothing_take_little_time():
    models = ", ".join(f"m{number}: {{parameters: x{number}}}" for number in range(3000))
    sets = ", ".join(f"s{number}: {{}}" for number in range(3000))
    found = state(
        f"version: 1\nproviders: {{p: {{kind: groq, models: {{{models}}}}}}}\nparameters: {{{sets}}}\n"
    )
    assert sum(problem.code == "missing-reference" for problem in found.problems) == 3000


@pytest.mark.parametrize("run", ["a" * 300_000, "-eyJaaaaaaaaaa" * 20_000, "a " * 100_000, "sk-" * 100_000])
def test_long_words_take_little_time(run):
    closed, open_ended = (state(f"version: 1\nx-a: '{run}{end}") for end in ("'\n", ""))
    assert "yaml-syntax" not in {problem.code for problem in closed.problems}
    assert "yaml-syntax" in {problem.code for problem in open_ended.problems}


def test_names_in_messages_are_short_and_printable():
    mode = "\\e[31m" + "x" * 500
    found = state(f'version: 1\nproviders: {{p: {{kind: groq, models: {{m: {{mode: "{mode}"}}}}}}}}\n')
    problem = only(found)
    assert "\x1b" not in problem.message
    assert len(problem.message) < 200


def test_paths_are_short_and_printable():
    found = state('version: 1\n"\\e[31m' + "x" * 5000 + '": 1\n')
    problem = only(found)
    assert problem.path.isprintable()
    assert problem.message.isprintable()
    assert len(problem.path) < 600


def test_the_garbage_collector_is_as_it_was():
    assert gc.isenabled()
    state("version: 1\n")
    assert gc.isenabled()


def test_a_parser_with_a_limit_of_its_own_says_what_ours_says():
    mark = Mark("", 0, 3, 1000, None, None)
    error = ScannerError("while increasing flow level", mark, "exceeded maximum nesting depth", mark)
    told = syntax.fault(error, "[" * 2000)
    assert (told.code, told.at) == ("too-deep", packed(3, 1000))
    assert "100 levels" in told.message
