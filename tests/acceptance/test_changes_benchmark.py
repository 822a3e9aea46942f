"""The benchmark of runs with little to do measures what it says it measures: no test asks how fast it is."""

import json
import subprocess
import sys

import pytest
from support import checkout
from support.commands import clean_environment

SCRIPT = checkout.ROOT / "tests/bench/changes.py"


@pytest.fixture(scope="module")
def ran():
    found = subprocess.run(
        [sys.executable, str(SCRIPT), "--models", "80", "120", "--runs", "2"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert found.returncode == 0, found.stderr
    return found


def test_every_side_has_its_figures_for_every_size(ran):
    report = json.loads(ran.stdout)
    assert [(size["models"], size["files"]) for size in report["sizes"]] == [(80, 2), (120, 3)]
    for size in report["sizes"]:
        measures = size["measures"]
        assert list(measures) == [
            *("floor", "plan_unchanged", "apply_unchanged", "plan_changed", "apply_changed", "plan_drift")
        ]
        for measure in measures.values():
            assert 0 < measure["wall_ms"]["min"] <= measure["wall_ms"]["median"] <= measure["wall_ms"]["max"]
        assert measures["floor"]["times_floor"]["median"] == 1.0


def test_a_size_of_which_nothing_is_asked_meets_and_misses_nothing(ran):
    for size in json.loads(ran.stdout)["sizes"]:
        assert [limit["met"] for limit in size["limits"]] == [None] * 5
        assert all(limit["found"] > 0 for limit in size["limits"])


def test_people_get_a_table(ran):
    lines = ran.stderr.splitlines()[-6:]
    assert lines[0].split() == ["80", "120"]
    assert lines[1].startswith("plan_unchanged / floor")


def test_no_models_are_refused():
    found = subprocess.run(
        [sys.executable, str(SCRIPT), "--models", "0"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert "at least one" in found.stderr
