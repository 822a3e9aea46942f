"""The benchmark of the library measures what it says it measures: no test here asks how fast anything is."""

import json
import subprocess
import sys

import pytest
from support import checkout
from support.commands import clean_environment

SCRIPT = checkout.ROOT / "tests/bench/library.py"
SMALL = ("--models", "90", "--batch", "90", "--programs", "2", "--runs", "2")


@pytest.fixture(scope="module")
def report():
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), *SMALL],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("part", ["registry_get", "list_providers", "register"])
def test_a_part_says_what_was_measured_on_what(report, part):
    found = report[part]
    assert (found["format"], found["models"], found["runs"]) == (1, 90, 2)
    assert found["server"]["settings"]["fsync"] == "on"


def test_reading_the_database_is_measured_beside_its_floor(report):
    measures = report["list_providers"]["measures"]
    for name in ("floor_ms", "list_ms", "async_list_ms", "floor_one_ms", "get_one_ms"):
        assert 0 < measures[name]["min"] <= measures[name]["median"] <= measures[name]["max"]
        assert ("times_floor" in measures[name]) is not name.startswith("floor")


def test_reading_from_memory_is_measured_beside_its_floor(report):
    assert report["registry_get"]["programs"] == 2
    measures = report["registry_get"]["measures"]
    assert all(measures[name]["median"] > 0 for name in ("floor_us", "get_us", "list_ms", "seen_after_ms"))
    assert measures["load_ms"] > 0
    assert measures["last_program_after_ms"]["max"] == measures["seen_after_ms"]["max"]


def test_registering_is_measured_beside_a_copy_of_the_same_rows(report):
    found = report["register"]
    assert 0 < found["copy_ms"]["min"] <= found["copy_ms"]["median"]
    assert 0 < found["register_ms"]["min"] <= found["register_ms"]["median"]
    rows = found["rows"]
    # A model and its set each, beside those of the call before, and their providers.
    assert (rows["provider_model_configs"], rows["llm_parameters"]) == (91, 92)
    assert rows["audit_events"] == sum(rows.values()) - rows["audit_events"] - 1


def test_every_limit_is_judged_by_what_was_found(report):
    limits = report["limits"]
    asked = [(limit["part"], limit["at_most"]) for limit in limits]
    assert asked == [
        ("registry_get", 5.0),
        ("registry_get", 100.0),
        ("list_providers", 3.0),
        ("register", 2.5),
    ]
    for limit in limits:
        found = limit["found"]
        assert limit["met"] is ((found["median"] if isinstance(found, dict) else found) <= limit["at_most"])


def test_no_models_are_refused():
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--batch", "0"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "at least one" in ran.stderr
