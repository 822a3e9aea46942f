"""The benchmark of the reader measures what it says it measures: no test here asks how fast anything is."""

import json
import subprocess
import sys

import pytest
from support import checkout
from support.commands import clean_environment


@pytest.fixture(scope="module")
def report():
    script = checkout.ROOT / "tests" / "bench" / "registry_get.py"
    ran = subprocess.run(
        [sys.executable, str(script), "--models", "90", "--programs", "2", "--runs", "2"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_it_says_what_was_asked_and_where(report):
    assert (report["format"], report["models"], report["programs"], report["runs"]) == (1, 90, 2, 2)
    assert report["server"]["version"]


def test_everything_is_measured_beside_its_floor(report):
    measures = report["measures"]
    assert all(measures[name]["median"] > 0 for name in ("floor_us", "get_us", "list_ms", "seen_after_ms"))
    assert measures["load_ms"] > 0
    assert measures["last_program_after_ms"]["max"] == measures["seen_after_ms"]["max"]


def test_the_limits_are_judged_by_what_was_found(report):
    for limit in report["limits"]:
        assert limit["met"] is (limit["found"]["median"] <= limit["at_most"])
    assert [limit["at_most"] for limit in report["limits"]] == [5.0, 100.0]
