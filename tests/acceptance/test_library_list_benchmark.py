"""The benchmark of reading measures what it says it measures: nothing here looks at how fast anything is."""

import json
import subprocess
import sys

import pytest
from support import checkout
from support.commands import clean_environment


@pytest.fixture(scope="module")
def report():
    ran = subprocess.run(
        [sys.executable, str(checkout.ROOT / "tests/bench/library_list.py"), "--models", "90", "--runs", "2"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_report_says_what_was_measured_on_what(report):
    assert (report["format"], report["models"], report["runs"]) == (1, 90, 2)
    assert report["server"]["settings"]["fsync"] == "on"
    assert set(report["machine"]) == {"python", "system", "processors", "load"}


def test_every_side_has_its_figures_and_the_floor_stands_beside_it(report):
    measures = report["measures"]
    for name in ("floor_ms", "list_ms", "async_list_ms", "floor_one_ms", "get_one_ms"):
        assert 0 < measures[name]["min"] <= measures[name]["median"] <= measures[name]["max"]
        assert ("times_floor" in measures[name]) is not name.startswith("floor")


def test_the_limit_is_what_was_found_beside_what_is_asked(report):
    (limit,) = report["limits"]
    assert limit["found"] == report["measures"]["list_ms"]["times_floor"]["median"]
    assert limit["met"] is (limit["found"] <= limit["at_most"])


def test_no_models_are_refused():
    script = checkout.ROOT / "tests/bench/library_list.py"
    ran = subprocess.run(
        [sys.executable, str(script), "--models", "0"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "at least one" in ran.stderr
