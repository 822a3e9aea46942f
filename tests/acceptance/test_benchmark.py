"""The benchmark measures what it says it measures: nothing here looks at how fast anything is."""

import json
import subprocess
import sys

import pytest
from bench import figures, generated_files
from bench.figures import Measure, Took
from support import checkout
from support.commands import clean_environment

SIDES = {"first_apply", "first_apply_empty_database", "plan_unchanged", "apply_unchanged"}
MODELS = 200


def run_benchmark(*words):
    """Its report; whatever it says on the way is shown where it fails."""
    script = checkout.ROOT / "tests" / "bench" / "apply.py"
    ran = subprocess.run(
        [sys.executable, str(script), "--runs", "1", *words],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def report():
    return run_benchmark("--models", str(MODELS))


def test_a_report_says_what_was_measured_on_what(report):
    assert (report["format"], report["models"], report["files"], report["runs"]) == (1, MODELS, 5, 1)
    assert report["server"]["settings"]["fsync"] == "on"
    assert report["server"]["settings"]["synchronous_commit"] == "on"
    assert set(report["machine"]) == {"python", "system", "processors", "load"}


def test_every_side_has_its_figures(report):
    measures = report["measures"]
    assert set(measures) == {"floor", *SIDES}
    for name, measure in measures.items():
        assert ("times_floor" in measure) is (name != "floor")
        for figure in ("wall_ms", "user_ms", "system_ms", "peak_mib"):
            assert 0 < measure[figure]["min"] <= measure[figure]["median"] <= measure[figure]["max"]
    wall = {name: measure["wall_ms"]["median"] for name, measure in measures.items()}
    assert all(
        measures[side]["times_floor"]["median"] == pytest.approx(wall[side] / wall["floor"], rel=0.02)
        for side in SIDES
    )


def test_an_apply_tells_its_stages_and_so_does_the_floor(report):
    measures = report["measures"]
    assert set(measures["floor"]["stages_ms"]) == {"compose", "copy"}
    for side in ("first_apply", "first_apply_empty_database", "apply_unchanged"):
        stages = measures[side]["stages_ms"]
        assert set(stages) == {"load", "plan", "apply"}
        assert sum(stage["median"] for stage in stages.values()) < measures[side]["wall_ms"]["median"]


def test_the_floor_and_the_applies_leave_the_same_number_of_rows(report):
    floor = report["rows"].pop("floor")
    assert set(report["rows"]) == SIDES - {"plan_unchanged"}
    assert all(rows == floor for rows in report["rows"].values())
    assert floor["provider_model_configs"] == MODELS
    assert floor["llm_parameters"] == MODELS + len(["default"])
    assert floor["providers"] == floor["source_files"] == 5
    assert floor["managed_entities"] == 2 * MODELS + 5
    assert floor["audit_events"] >= floor["managed_entities"]  # and what the migrations recorded
    assert floor["reconcile_runs"] == 1


def test_the_limits_are_judged_by_what_was_found(report):
    ratio, peak, imports = report["limits"]
    first = report["measures"]["first_apply"]
    assert (ratio["found"], peak["found"]) == (first["times_floor"]["median"], first["peak_mib"]["max"])
    # Nothing is asked of so few models.
    assert [(one["at_most"], one["met"]) for one in (ratio, peak)] == [(None, None)] * 2
    assert (imports["found"], imports["met"]) == ([], True)
    assert report["start_up"]["wall_ms"]["median"] > 0


@pytest.mark.parametrize(("at_most", "met"), [(2.0, True), (1.9, True), (1.8, False), (None, None)])
def test_a_limit_is_met_by_what_is_at_most_as_much(at_most, met):
    assert figures.limit("it", at_most, 1.9) == {"of": "it", "at_most": at_most, "found": 1.9, "met": met}


def test_a_server_of_ones_own_is_measured_and_left_as_it_was(server_url):
    before = databases(server_url)
    report = run_benchmark("--models", "41", "--database-url", server_url)
    assert (report["files"], report["rows"]["first_apply"]["provider_model_configs"]) == (2, 41)
    assert report["server"]["settings"]["fsync"] == "off"  # as the tests have set it
    assert {name for name in databases(server_url) if name.startswith("bench_")} <= before


def databases(url):
    """The names of a server's databases."""
    import psycopg

    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def test_the_input_is_the_same_every_time_and_as_large_as_it_is_asked_for(tmp_path):
    assert generated_files.write(tmp_path / "one", 90) == generated_files.write(tmp_path / "two", 90) == 3
    one, two = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in tmp_path.iterdir())
    assert one == two
    text = b"".join(one.values()).decode()
    assert text.count("        parameters:\n") == text.count("seed: ") == 90


def test_the_stopwatch_takes_the_memory_and_the_time_of_its_command_alone(tmp_path):
    small = measured(tmp_path, "pass")
    large = measured(
        tmp_path, "block = bytearray(64 << 20)\nfor at in range(0, len(block), 4096): block[at] = 1"
    )
    busy = measured(tmp_path, "import time\nwhile time.process_time() < 0.3: pass")
    assert 0 < small.peak < 32  # less than this process has by now
    assert 64 < large.peak < 64 + 32
    assert busy.user + busy.system == pytest.approx(300, abs=100)
    assert busy.wall >= busy.user


def test_a_command_that_fails_is_not_measured(tmp_path):
    with pytest.raises(SystemExit, match="exited with 3"):
        measured(tmp_path, "raise SystemExit(3)")


def measured(folder, code):
    return figures.run([sys.executable, "-c", code], environment=clean_environment(), folder=folder)


def test_a_ratio_is_of_two_processes_of_one_round():
    floor = Measure("floor", [took(100), took(200), took(400)])
    other = Measure("other", [took(200), took(600), took(800)])
    assert other.summary(floor)["times_floor"] == {"median": 2.0, "min": 2.0, "max": 3.0, "of_least": 2.0}
    assert other.summary(floor)["wall_ms"] == {"median": 600, "min": 200, "max": 800}


def took(wall):
    return Took(wall, user=wall, system=0.0, peak=1.0, answer="", story="")
