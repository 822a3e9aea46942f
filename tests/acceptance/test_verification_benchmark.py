"""The benchmark of verification measures what it says it measures: no test here asks how fast anything is."""

import json
import subprocess
import sys

import pytest
from support import checkout
from support.commands import clean_environment

SIDES = ("floor", "healthy", "one_hangs", "healthy_usual", "one_hangs_usual")


@pytest.fixture(scope="module")
def report():
    script = checkout.ROOT / "tests" / "bench" / "verify.py"
    words = ("--models", "41", "--providers", "4", "--timeout", "1", "--runs", "1")
    ran = subprocess.run(
        [sys.executable, str(script), *words],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_it_says_what_was_asked(report):
    assert (report["format"], report["models"], report["providers"], report["runs"]) == (1, 40, 4, 1)
    assert tuple(report["measures"]) == SIDES


def test_each_side_is_measured_and_whoever_meets_silence_waits_for_it(report):
    wall = {name: measure["wall_ms"]["median"] for name, measure in report["measures"].items()}
    assert all(wall[name] > 0 for name in SIDES)
    assert min(wall["one_hangs"], wall["one_hangs_usual"]) > report["timeout_ms"]


def test_the_limits_are_judged_by_what_was_found(report):
    wall = {name: measure["wall_ms"]["median"] for name, measure in report["measures"].items()}
    added = (wall["one_hangs"] - wall["healthy"]) / report["timeout_ms"]
    for limit in report["limits"]:
        assert limit["met"] is (limit["found"]["max"] <= limit["at_most"] == 1.5)
    assert report["limits"][0]["found"]["median"] == pytest.approx(added, abs=0.02)
