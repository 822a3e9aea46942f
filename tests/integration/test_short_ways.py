"""A run that reads only what has changed says and does what one says and does that reads all: with the files
as they were, with few of them changed, with rows changed by hand, with other options and another reader.
"""

from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from support import documents, postgres
from support.generated import DATABASE_LAW
from support.registry_dump import dump
from support.small_directories import by_hand, by_hand_or_worse, two_directories, write

from reconciler.core.files import Loaded
from reconciler.core.options import PlanOptions
from reconciler.engine import partial, unchanged
from reconciler.engine.apply import ApplySettings, apply
from reconciler.engine.plan import plan
from reconciler.errors import ProviderConfigError, SourceError
from reconciler.report import json
from reconciler.source.load import load
from reconciler.source.tree import Tree
from reconciler.store import observe
from reconciler.store.record import RunContext
from reconciler.store.remembered import Look
from reconciler.store.session import connect

EMPTIED = """
TRUNCATE providers, llm_parameters, prompt_templates, provider_model_configs, managed_entities, sources,
    source_files, reconcile_runs, audit_events, registry, overrides RESTART IDENTITY CASCADE;
INSERT INTO registry (id) VALUES (1);
INSERT INTO llm_parameters (name) VALUES ('default') ON CONFLICT DO NOTHING;
"""
EVERYTHING = ("empty", "deactivate=1", "deactivate=2", "provider=p3", "moved-source")
SETTINGS = ApplySettings(RunContext("tester", "0"))
OPTIONS = PlanOptions()


@pytest.fixture(scope="module")
def registries(server_url, migrated_template):
    with postgres.fresh_database(server_url, migrated_template) as url, connect(url) as connection:

        @contextmanager
        def fresh():
            connection.execute(EMPTIED)
            yield connection

        yield fresh


def said(run):
    """What a run says, whether it ends well or not."""
    try:
        return run()
    except SourceError as error:
        return error.problems
    except ProviderConfigError as error:
        return error.code, str(error)


class Outcome(NamedTuple):
    """What an apply tells."""

    counts: dict
    touched: frozenset
    plan: str


def outcome(done):
    return Outcome(dict(done.counts), done.touched, json.plan(done.plan))


def whole(folder):
    """All files, read anew."""
    state = load(folder)
    if any(problem.severity == "error" for problem in state.problems):
        raise SourceError(state.problems)
    return Loaded(state)


def way(connection, tree, options):
    """Which way a plan goes."""
    if tree.prints is None:
        return "whole"
    with observe.snapshot(connection):
        look = Look(connection, options.source)
        if unchanged.unchanged(look, tree.prints, options) is not None:
            return "unchanged"
        return "whole" if partial.partial(look, tree, options) is None else "partial"


@settings(DATABASE_LAW, max_examples=120)
@given(
    pair=two_directories, edits=by_hand_or_worse, no_deactivate=st.sampled_from((False, False, False, True))
)
def test_a_short_plan_is_the_whole_plan(registries, tmp_path_factory, pair, edits, no_deactivate):
    folder = tmp_path_factory.mktemp("law") / "providers.d"
    options = PlanOptions(no_deactivate=no_deactivate)
    with registries() as connection:
        if said(lambda: apply(connection, whole(write(folder, pair[0])), OPTIONS, SETTINGS)) is None:
            return
        for statement in edits:
            connection.execute(statement)
        write(folder, pair[1])
        tree = Tree(folder)
        event(way(connection, tree, options))
        short = said(lambda: json.plan(plan(connection, tree, options)))
        assert short == said(lambda: json.plan(plan(connection, whole(folder), options)))


@settings(DATABASE_LAW, max_examples=60)
@given(pair=two_directories, edits=by_hand)
def test_a_short_apply_leaves_what_a_whole_one_leaves(registries, tmp_path_factory, pair, edits):
    folder = tmp_path_factory.mktemp("law") / "providers.d"
    options = PlanOptions(accept=EVERYTHING)
    left = []
    for reader in (Tree, whole):
        with registries() as connection:
            said(lambda: apply(connection, whole(write(folder, pair[0])), OPTIONS, SETTINGS))
            for statement in edits:
                connection.execute(statement)
            write(folder, pair[1])
            done = said(lambda: outcome(apply(connection, reader(folder), options, SETTINGS)))  # noqa: B023
            source = connection.execute("SELECT input_digest, entities, reader FROM sources").fetchall()
            left.append((done, dump(connection), source))
            after = said(lambda: plan(connection, whole(folder), OPTIONS))
            if isinstance(done, Outcome):
                assert (after.changes, after.bookkeeping.is_due) == ((), False)
                assert way(connection, Tree(folder), OPTIONS) == "unchanged"
    assert left[0] == left[1]


# Each way by name

FILES = {
    "a.yaml": {"providers": {"p0": {"kind": "openai", "models": {"a": {"parameters": "base"}, "b": {}}}}},
    "b.yaml": {
        "providers": {"p1": {"kind": "openai", "models": {"a": {"parameters": {"temperature": 0.3}}}}}
    },
    "c.yaml": {"providers": {"p2": {"kind": "openai", "models": {"a": {"parameters": "child"}}}}},
    "shared.yaml": {"parameters": {"base": {"temperature": 0.5}, "child": {"extends": "base", "top_p": 0.5}}},
}


def changed(name, file):
    return {**FILES, name: file}


@pytest.fixture
def applied(registries, tmp_path):
    """A registry to which the files were applied, and the folder."""
    folder = tmp_path / "providers.d"
    with registries() as connection:
        apply(connection, Tree(write(folder, FILES)), OPTIONS, SETTINGS)
        yield connection, folder


def model(**fields):
    return {"providers": {"p1": {"kind": "openai", "models": {"a": fields}}}}


@pytest.mark.parametrize(
    ("files", "edit", "expected"),
    [
        pytest.param(FILES, "", "unchanged", id="nothing"),
        pytest.param(FILES, "UPDATE providers SET updated_at = now()", "unchanged", id="a row written anew"),
        pytest.param(
            FILES,
            "INSERT INTO providers (name, kind) VALUES ('x', 'openai')",
            "unchanged",
            id="somebody else's row",
        ),
        pytest.param(
            FILES, "UPDATE llm_parameters SET top_k = 1 WHERE name = 'base'", "partial", id="a hand"
        ),
        pytest.param(
            FILES, "DELETE FROM provider_model_configs WHERE provider_name = 'p2'", "partial", id="a deletion"
        ),
        pytest.param(changed("b.yaml", model(parameters={"temperature": 0.4})), "", "partial", id="a value"),
        pytest.param(
            changed("b.yaml", model(parameters={"temperature": 0.3}, version="2")),
            "",
            "partial",
            id="a field",
        ),
        pytest.param(
            changed(
                "a.yaml",
                {
                    "providers": {
                        "p0": {"kind": "openai", "models": {"a": {"parameters": "base"}, "b": {}, "c": {}}}
                    }
                },
            ),
            "",
            "partial",
            id="a new model",
        ),
        pytest.param(
            changed(
                "shared.yaml",
                {"parameters": {"base": {"temperature": 0.6}, "child": {"extends": "base", "top_p": 0.5}}},
            ),
            "",
            "partial",
            id="a shared set",
        ),
        pytest.param(changed("b.yaml", {"x-note": "moved", **FILES["b.yaml"]}), "", "partial", id="a line"),
        pytest.param(changed("b.yaml", model()), "", "whole", id="a set that goes"),
        pytest.param(
            changed("a.yaml", {"providers": {"p0": {"kind": "openai", "models": {"a": {}, "b": {}}}}}),
            "",
            "whole",
            id="a last use",
        ),
        pytest.param(
            {**FILES, "d.yaml": {"providers": {"p3": {"kind": "xai", "models": {"a": {}}}}}},
            "",
            "whole",
            id="a new file",
        ),
        pytest.param(
            {name: file for name, file in FILES.items() if name != "b.yaml"},
            "",
            "whole",
            id="a file that goes",
        ),
        pytest.param(
            FILES, "UPDATE llm_parameters SET name = 'x' WHERE name = 'base'", "whole", id="a renamed set"
        ),
        pytest.param(
            FILES, "DELETE FROM managed_entities WHERE key = 'p0'", "whole", id="a row that was ours"
        ),
        pytest.param(
            FILES,
            "INSERT INTO overrides (kind, key, fields, reason, ends_at) VALUES"
            " ('model', 'p0/a', '{\"is_active\": false}', 'x', now() + interval '1 hour')",
            "whole",
            id="an override",
        ),
        pytest.param(
            FILES, "UPDATE sources SET reader = 'older', input_digest = 'x'", "whole", id="another reader"
        ),
        pytest.param(
            FILES, "UPDATE sources SET origin = 'other', input_digest = 'x'", "whole", id="another origin"
        ),
        pytest.param(
            FILES, "UPDATE sources SET deferred = '[\"model:p0/z\"]'", "whole", id="something left out"
        ),
        pytest.param(
            FILES,
            "UPDATE managed_entities SET row_digest = NULL WHERE key = 'p0'",
            "partial",
            id="a row that was never counted",
        ),
    ],
)
def test_which_way_a_plan_goes(applied, files, edit, expected):
    connection, folder = applied
    if edit:
        connection.execute(edit)
    write(folder, files)
    assert way(connection, Tree(folder), OPTIONS) == expected
    short, long = (json.plan(plan(connection, one, OPTIONS)) for one in (Tree(folder), whole(folder)))
    assert short == long


def test_an_apply_between_reading_and_the_lock_is_noticed(applied):
    connection, folder = applied
    tree = Tree(write(folder, changed("b.yaml", model(parameters={"temperature": 0.4}))))
    with observe.snapshot(connection):
        part = partial.part_of(Look(connection, OPTIONS.source), tree, OPTIONS)
    other = changed("b.yaml", model(parameters={"temperature": 0.7}))
    apply(connection, Tree(write(folder, other)), OPTIONS, SETTINGS)
    with observe.snapshot(connection):
        assert partial.planned(Look(connection, OPTIONS.source), part, OPTIONS) is None


def test_a_hand_between_reading_and_the_lock_is_overruled_too(applied):
    connection, folder = applied
    tree = Tree(write(folder, changed("b.yaml", model(parameters={"temperature": 0.4}))))
    with observe.snapshot(connection):
        part = partial.part_of(Look(connection, OPTIONS.source), tree, OPTIONS)
    connection.execute("UPDATE providers SET description = 'mine' WHERE name = 'p2'")
    with observe.snapshot(connection):
        found = partial.planned(Look(connection, OPTIONS.source), part, OPTIONS).plan
    assert [str(change.address) for change in found.changes] == ["provider:p2", "parameters:p1/a"]
    apply(connection, tree, OPTIONS, SETTINGS)
    assert plan(connection, whole(folder), OPTIONS).changes == ()


def test_a_file_that_changes_while_it_is_read_is_read_with_all_others(applied):
    connection, folder = applied
    tree = Tree(write(folder, changed("b.yaml", model(parameters={"temperature": 0.4}))))
    assert tree.prints is not None
    write(folder, changed("b.yaml", model(parameters={"temperature": 0.8})))
    (change,) = plan(connection, tree, OPTIONS).changes
    assert change.desired.spec["temperature"] == 0.8


def test_warnings_of_files_that_were_not_read_are_told(applied):
    connection, folder = applied
    unused = {"parameters": {**FILES["shared.yaml"]["parameters"], "unused": {"top_k": 1}}}
    apply(connection, Tree(write(folder, changed("shared.yaml", unused))), OPTIONS, SETTINGS)
    for files in (
        changed("shared.yaml", unused),
        {**changed("b.yaml", model(parameters={"temperature": 0.4})), "shared.yaml": unused},
    ):
        found = plan(connection, Tree(write(folder, files)), OPTIONS)
        assert [problem.code for problem in found.problems] == ["unused"]


def test_an_apply_of_files_with_errors_writes_nothing(applied):
    connection, folder = applied
    before = dump(connection)
    write(folder, FILES)
    documents.write(folder, {"b.yaml": "version: 1\nproviders: {p1: {kind: opnai}}\n"})
    with pytest.raises(SourceError):
        apply(connection, Tree(folder), OPTIONS, SETTINGS)
    assert dump(connection) == before


def test_what_is_known_after_an_upgrade_is_noted_by_the_next_apply(applied):
    connection, folder = applied
    connection.execute("UPDATE managed_entities SET row_digest = NULL")
    connection.execute(
        "UPDATE sources SET input_digest = NULL, state_digest = NULL, entities = NULL, reader = NULL"
    )
    assert way(connection, Tree(folder), OPTIONS) == "whole"
    assert apply(connection, Tree(folder), OPTIONS, SETTINGS).run is None
    connection.execute("UPDATE sources SET state_digest = NULL")
    assert way(connection, Tree(folder), OPTIONS) == "unchanged"


def test_an_approved_plan_is_applied_by_the_short_way_too(applied):
    connection, folder = applied
    tree = Tree(write(folder, changed("b.yaml", model(parameters={"temperature": 0.4}))))
    shown = plan(connection, tree, OPTIONS)
    done = apply(connection, tree, OPTIONS, replace(SETTINGS, approved=shown.digest))
    assert (done.plan.digest, done.counts["update"]) == (shown.digest, 1)
