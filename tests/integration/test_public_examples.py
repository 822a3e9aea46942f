"""The examples in the docstrings of what applications call are true: each runs by itself, on a registry that
holds one model, `openai` `gpt-4o`, registered and verified.
"""

import doctest
import importlib
import os

import pytest
from support.documented import module_name, modules_with_examples
from support.hosted import hosted

import reconciler
from reconciler import Generator, LLMParametersCreate, PromptTemplateCreate, open_registry, open_service

LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PRECISE = LLMParametersCreate(name="precise", temperature=0.7, max_new_tokens=200)
RAG = PromptTemplateCreate(name="rag", context_prefix="Context:", query_prefix="Question:")


def examples():
    """Every docstring with examples, of every module whose examples need a registry."""
    found = []
    for name in modules_with_examples(with_a_registry=True):
        module = importlib.import_module(module_name(name))
        found += [one for one in doctest.DocTestFinder().find(module) if one.examples]
    return found


@pytest.fixture(scope="module")
def providers(tmp_path_factory):
    with hosted(tmp_path_factory.mktemp("authority")) as fake:
        yield fake


@pytest.fixture
def world(providers, database, monkeypatch):
    """What the examples find: a registry with one model, and all public names."""
    for name in [name for name in os.environ if name.startswith("RECONCILER_")]:
        monkeypatch.delenv(name)
    for name, value in {**providers.environment, "RECONCILER_DATABASE_URL": database}.items():
        monkeypatch.setenv(name, value)
    with open_service(actor="the examples") as service:
        config = service.register_provider_model("openai", "gpt-4o", PRECISE, RAG)
        assert config.verification_status == "verified"
        with open_registry(poll=0.1) as registry, Generator(service) as generator:
            names = {name: getattr(reconciler, name) for name in reconciler.__all__}
            yield names | {
                "service": service,
                "registry": registry,
                "generator": generator,
                "config": config,
                "url": database,
            }


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.name.removeprefix("reconciler."))
def test_an_example_is_true(example, world):
    said = []
    runner = doctest.DocTestRunner(optionflags=LENIENT, verbose=False)
    example.globs = example.globs | world
    outcome = runner.run(example, out=said.append, clear_globs=False)
    assert outcome.attempted > 0
    assert outcome.failed == 0, "".join(said)
