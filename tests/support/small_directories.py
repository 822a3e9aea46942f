"""Small directories whose files share sets, templates and a kind, as Hypothesis strategies; edits of them,
and what a hand does to their rows.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from hypothesis import strategies as st
from support import documents

_temperatures = st.sampled_from((0.1, 0.3, 0.5, 0.7, 0.9, 1.5, 1.9, 7.5))
_kinds = st.sampled_from(("openai", "vllm", "mine"))
_sets = st.sampled_from(
    ("base", "child", "lonely", "default", {"temperature": 0.3}, {"extends": "child", "top_p": 0.5})
)
_templates = st.sampled_from((None, "qa", {"extends": "qa", "answer_prefix": "A:"}))
_models = st.fixed_dictionaries(
    {}, optional={"parameters": _sets, "prompt_template": _templates, "active": st.booleans()}
)
_providers = st.fixed_dictionaries(
    {
        "kind": _kinds,
        "base_url": st.just("https://llm.example/v1"),
        "models": st.dictionaries(st.sampled_from(("a", "b", "c/d", "A")), _models, min_size=1, max_size=3),
    },
    optional={
        "parameters": st.sampled_from(("base", "child")),
        "prompt_template": st.just("qa"),
        "active": st.booleans(),
    },
)
_shared = st.fixed_dictionaries(
    {
        "parameters": st.fixed_dictionaries(
            {
                "base": st.fixed_dictionaries({"temperature": _temperatures}),
                "child": st.fixed_dictionaries(
                    {"extends": st.just("base")}, optional={"top_k": st.integers(1, 3)}
                ),
                "lonely": st.fixed_dictionaries({"max_new_tokens": st.integers(1, 3)}),
            }
        ),
        "templates": st.fixed_dictionaries(
            {
                "qa": st.fixed_dictionaries({"query_prefix": st.sampled_from(("Q:", "?"))}),
                "bound": st.just({"provider": "p0", "query_prefix": "Q:"}),
            }
        ),
    }
)
_own_kinds = st.sampled_from(
    (
        *({"kinds": {"mine": {"protocol": "openai"}}} for _ in range(6)),
        {"kinds": {"mine": {"protocol": "openai", "base_url": "https://mine.example/v1"}}},
        {"kinds": {}},
    )
)


def _file(number):
    return st.fixed_dictionaries(
        {"providers": st.fixed_dictionaries({f"p{number}": _providers})},
        optional={"x-note": st.text("ab", max_size=2)},
    )


_FILES = {
    "a.yaml": _file(0),
    "b.yaml": _file(1),
    "c.yaml": _file(2),
    "kinds.yaml": _own_kinds,
    "shared.yaml": _shared,
}
directories = st.fixed_dictionaries(_FILES, optional={"d.yaml": _file(3)})


def _of_models(change):
    """An edit of one model of one file."""

    def edit(draw, files):
        name = draw(st.sampled_from([name for name in files if "providers" in files[name]]))
        ((_, provider),) = files[name]["providers"].items()
        models = provider["models"]
        change(draw, models, draw(st.sampled_from(sorted(models))))

    return edit


def _anew(draw, files):
    name = draw(st.sampled_from(sorted(_FILES)))
    files[name] = draw(_FILES[name])


def _shared_value(draw, files):
    shared = files["shared.yaml"]
    which = draw(st.sampled_from(("base", "child", "lonely", "qa")))
    if which == "qa":
        shared["templates"]["qa"]["query_prefix"] = draw(st.sampled_from(("Q:", "?", "!")))
    else:
        shared["parameters"][which]["seed"] = draw(st.integers(1, 3))


# What people do to their files, the usual first.
_EDITS = (
    _of_models(lambda draw, models, one: models[one].update(version=draw(st.sampled_from(("1", "2"))))),
    _of_models(lambda draw, models, one: models[one].update(parameters={"temperature": draw(_temperatures)})),
    _of_models(lambda draw, models, one: models[one].update(parameters=draw(_sets))),
    _of_models(lambda draw, models, one: models[one].update(prompt_template=draw(_templates))),
    _of_models(lambda draw, models, _: models.update(new=draw(_models))),
    lambda draw, files: files[draw(st.sampled_from(sorted(files)))].update({"x-note": draw(st.text("ab"))}),
    _shared_value,
    _of_models(lambda draw, models, one: models[one].update(active=draw(st.booleans()))),
    _of_models(lambda _, models, one: len(models) > 1 and models.pop(one)),
    _anew,
)


@st.composite
def edits(draw, before):
    """The same directory after a few edits."""
    files = deepcopy(before)
    for edit in draw(st.lists(st.sampled_from(_EDITS), max_size=3)):
        edit(draw, files)
    if draw(st.integers(0, 19)) == 0:
        files.pop("d.yaml", None)
    return files


two_directories = directories.flatmap(lambda one: st.tuples(st.just(one), edits(one)))

# What a hand does; nothing where no such row is.
BY_HAND = (
    "UPDATE llm_parameters SET temperature = 1.5 WHERE name = 'base'",
    "UPDATE llm_parameters SET name = 'renamed' WHERE name = 'child'",
    "UPDATE provider_model_configs SET is_active = NOT is_active, hold = NULL WHERE model_id = 'a'",
    "UPDATE provider_model_configs SET version = '2' WHERE provider_name = 'p1'",
    "DELETE FROM provider_model_configs WHERE model_id = 'b'",
    "DELETE FROM llm_parameters WHERE name = 'lonely'",
    "UPDATE providers SET is_active = FALSE WHERE name = 'p2'",
    "UPDATE prompt_templates SET query_prefix = 'Say:' WHERE name = 'qa'",
    "DELETE FROM managed_entities WHERE key = 'p0'",
    "INSERT INTO providers (name, kind) VALUES ('elsewhere', 'openai') ON CONFLICT DO NOTHING",
    "UPDATE providers SET updated_at = now()",
)
by_hand = st.lists(st.sampled_from(BY_HAND), max_size=2)
# What is remembered of a row says nothing of the row: it is put right when its file is read again.
by_hand_or_worse = st.lists(
    st.sampled_from((*BY_HAND, "UPDATE managed_entities SET spec = '{}' WHERE key = 'base'")), max_size=2
)


def write(directory: Path, files) -> Path:
    """The directory, with these files and no others."""
    directory.mkdir(exist_ok=True)
    for path in directory.iterdir():
        path.unlink()
    return documents.write(
        directory, {name: documents.as_yaml({"version": 1, **file}) for name, file in files.items()}
    )
