"""What people do with the command every day and what goes wrong on such days: each exit status, each answer
whole, and nothing written where something is wrong.
"""

import json
import signal
import socket
import subprocess

import psycopg
import pytest
from support.commands import clean_environment, command_line, run_command
from support.directories import FORMS, Story, provider, refused, steps, write_files
from support.polling import eventually
from support.private_home import private_home
from support.providers import FakeProviders, key

PLAIN = """
providers:
  here:
    kind: openai-compatible
    base_url: https://here.example/v1
    models:
      one: {parameters: warm, labels: {team: rag, tier: "1"}, capabilities: [tools, streaming]}
      two: {parameters: {extends: warm, top_p: 1}}
parameters:
  warm: {temperature: 1}
"""
# The same in other words: numbers, orders, quotes and places are not what counts.
SPELLED_OTHERWISE = {
    "first": """
        # A comment, and everything moved.
        parameters:
          "warm": {"temperature": 1.0, description: }
    """,
    "second": """
        x-models: &two {parameters: {top_p: 1.0e+0, extends: warm}}
        providers:
          here:
            models:
              two: *two
              "one":
                capabilities: [streaming, tools]
                labels:
                  tier: '1'
                  team: "rag"
                parameters: warm
                active: true
            base_url: "https://here.example/v1"
            kind: openai-compatible
    """,
}
NOTHING_WRITTEN = ("provider_model_configs", "providers", "managed_entities", "reconcile_runs")


@pytest.fixture
def story(tmp_path, database):
    return Story(tmp_path, database)


@pytest.fixture
def new(tmp_path, empty_database):
    """A story whose database has no tables yet."""
    return Story(tmp_path, empty_database)


def nothing_is_written(story):
    return story.counts(*NOTHING_WRITTEN) == (0, 0, 0, 0)


def tables(story):
    return story.rows("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")


def test_the_first_day_from_an_empty_folder_to_an_export(new):
    assert new.run("init").status == 0
    assert new.ask("validate")["valid"] is True
    assert new.ask("db", "current")["database"] is None
    plan = new.ask("plan")
    assert plan["summary"]["create"] == 6
    assert tables(new) == []
    applied = new.apply()
    assert (applied["run"], applied["applied"]["create"]) == (1, 6)
    assert new.run("plan").stdout == "No changes. 6 entities match.\n"
    assert [model["address"] for model in new.ask("list")["models"]] == [
        "model:openai/gpt-4o",
        "model:openai/gpt-4o-mini",
    ]
    shown = new.ask("show", "model:openai/gpt-4o")
    assert (shown["managed_by"], shown["file"]) == ("default", "openai.yaml")
    history = new.ask("history", "--limit", "6")
    assert {event["run"] for event in history["events"]} == {1}
    assert [run["id"] for run in history["runs"]] == [1]
    current = new.ask("db", "current")
    assert current["database"] == current["program"]
    new.ask("export", "written.d")
    assert refused(new.ask("plan", "written.d", status=3)) == [("moved-source", "moved-source")]


def test_every_reading_verb_answers_in_every_form_and_writes_nothing(new):
    assert new.run("init").status == 0
    new.apply()
    before = new.everything()
    for words in (
        *(["validate"], ["plan"], ["drift"], ["list"], ["history"], ["show", "parameters:balanced"]),
        *(["render"], ["export"], ["schema"], ["db", "current"]),
    ):
        for form in FORMS[1:] if words[0] not in {"render", "export", "schema", "db"} else FORMS[:2]:
            answer = new.run(*words, "--output", form)
            assert (answer.status, bool(answer.stdout), answer.stderr) == (0, True, ""), words
            if form == "json":
                json.loads(answer.stdout)
    assert new.everything() == before


def test_a_typo_gives_place_reason_and_fix_and_leaves_no_trace(new):
    new.write(here=PLAIN.replace("temperature: 1", "temperatur: 1"))
    told = "providers.d/here.yaml:11:10: error[unknown-field]: "
    answer = new.run("apply", "--yes")
    assert (answer.status, answer.stdout) == (1, "")
    first, hint, *_ = answer.stderr.splitlines()
    assert first.startswith(told)
    assert "temperatur" in first
    assert "did you mean temperature?" in hint
    error = new.ask("apply", "--yes", status=1)["error"]
    assert error["code"] == "invalid-source"
    assert [(one["line"], one["column"], one["hint"]) for one in error["problems"]] == [
        (11, 10, "did you mean temperature?")
    ]
    assert tables(new) == []


def test_bad_files_leave_no_run_where_there_are_tables(story):
    story.write(here=PLAIN)
    story.apply()
    before = story.everything()
    story.write(here=PLAIN.replace("temperature: 1", "temperature: hot"), more=": [")
    for verb in ("plan", "apply"):
        words = [verb, *(["--yes"] if verb == "apply" else [])]
        problems = story.ask(*words, status=1)["error"]["problems"]
        assert [(one["file"], one["code"]) for one in problems] == [
            ("here.yaml", "wrong-type"),
            ("more.yaml", "yaml-syntax"),
        ]
    assert story.everything() == before


def test_each_exit_status_means_one_thing_and_json_is_whole_with_every_one(story):
    with FakeProviders() as fake:
        env = {"RECONCILER_ALLOWED_HOSTS": fake.host, "OPENAI_COMPATIBLE_API_KEY": key("bad")}
        story = story.with_env(**env)
        fields = {"base_url": fake.openai, "credentials": "{api_key: env:OPENAI_COMPATIBLE_API_KEY}"}
        story.write(here=provider("here", "gpt-4", "granite-13b", **fields))
        assert story.ask("plan")["summary"]["create"] == 3
        assert story.ask("plan", "--detailed-exitcode", status=2)["summary"]["create"] == 3
        with holding_the_registry(story):
            locked = story.ask("apply", "--yes", "--lock-timeout", "0", status=4)
            assert locked["error"]["code"] == "locked"
            assert locked["error"]["hint"]
        assert nothing_is_written(story)
        done = story.ask("apply", "--yes", "--require-verified", status=5)
        assert done["run"] == 1
        assert {one["outcome"] for one in done["verification"]} == {"auth_failed"}
        assert story.ask("verify", "--all", status=5)["verification"][0]["outcome"] == "auth_failed"
        assert story.ask("drift")["changes"] == []
        story.edit("UPDATE providers SET description = 'by hand'")
        assert story.ask("drift", status=2)["changes"][0]["address"] == "provider:here"
        assert story.ask("plan")["changes"][0]["cause"] == "drift"
    story.write(here="# nothing any more\n")
    assert ("empty-source", "empty") in refused(story.ask("plan", "--detailed-exitcode", status=3))
    assert ("empty-source", "empty") in refused(story.apply(status=3))
    assert story.ask("plan", "elsewhere", status=1)["error"]["code"] == "no-such-directory"


def holding_the_registry(story):
    """Another run, as far as anybody can tell: a transaction that holds the registry's row."""
    holder = psycopg.connect(story.database)
    holder.execute("SELECT 1 FROM registry FOR UPDATE")
    return holder


def test_a_run_waits_for_another_one_as_long_as_it_is_told(story):
    story.write(here=PLAIN)
    with holding_the_registry(story) as holder, started(story, "apply", "--lock-timeout", "60") as waiting:
        assert eventually(lambda: waits_for_a_lock(story), within=60)
        holder.rollback()
        out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert json.loads(out)["run"] == 1


def started(story, *words, output="json"):
    """A command that is running by now, to be waited for or interrupted; it needs no consent."""
    return subprocess.Popen(
        command_line(*words, *(["--yes"] if words[0] == "apply" else []), "--output", output),
        env=clean_environment({"RECONCILER_DATABASE_URL": story.database, **story.env}),
        cwd=story.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def waits_for_a_lock(story):
    return story.rows(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'reconciler' AND wait_event_type = 'Lock'"
    )


def test_without_consent_nothing_is_applied(story):
    story.write(here=PLAIN)
    answer = story.run("apply", stdin="y\n")
    assert (answer.status, answer.stdout) == (1, "")
    assert answer.stderr.startswith("error[confirmation]: ")
    assert "--yes" in answer.stderr
    assert nothing_is_written(story)


def test_a_database_out_of_reach_is_one_clear_error(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"postgresql://someone:pass-word-1@127.0.0.1:{free.getsockname()[1]}/nothing"
        story = Story(tmp_path, dead)
        story.write(here=PLAIN)
        for words in (["apply", "--yes"], ["verify"], ["drift"], ["db", "upgrade"]):
            error = story.ask(*words, status=1)["error"]
            assert error["code"] == "database-unavailable", words
            assert "RECONCILER_DATABASE_URL" in error["hint"]
            assert "pass-word-1" not in str(error)
        answer = story.run("plan")
    assert (answer.status, answer.stdout) == (1, "")
    assert answer.stderr.startswith("error[database-unavailable]: PostgreSQL is out of reach: ")
    assert len(answer.stderr.splitlines()) == 2
    assert "pass-word-1" not in answer.stderr


def test_in_ci_no_database_is_assumed(tmp_path):
    story = Story(tmp_path, "")
    story.write(here=PLAIN)
    env = {"CI": "true", "RECONCILER_HOME": str(tmp_path / "home")}
    for words in (["plan"], ["apply", "--yes"]):
        answer = run_command(*words, env=env, cwd=tmp_path)
        assert (answer.status, answer.stdout) == (1, "")
        assert answer.stderr.startswith("error[no-database]: ")
        assert "postgresql://" in answer.stderr
        assert "embedded" in answer.stderr
        document = run_command(*words, "--output", "json", env=env, cwd=tmp_path).document
        assert document["error"]["code"] == "no-database"
    assert not (tmp_path / "home").exists()


def test_elsewhere_the_private_server_is_used_and_said_so(tmp_path):
    write_files(tmp_path / "providers.d", here=PLAIN)
    with private_home() as home:
        env = {"RECONCILER_HOME": str(home)}
        answer = run_command("plan", "--output", "json", env=env, cwd=tmp_path)
        assert answer.status == 0
        assert answer.document["summary"]["create"] == 5
        assert f"RECONCILER_DATABASE_URL is not set: using the embedded server in {home}." in answer.stderr
        named = run_command("plan", env={**env, "RECONCILER_DATABASE_URL": "embedded"}, cwd=tmp_path)
        assert (named.status, named.stderr) == (0, "")


def test_an_empty_directory_is_refused_and_a_missing_one_is_an_error(story):
    story.directory.mkdir()
    valid = story.ask("validate")
    assert (valid["valid"], [one["code"] for one in valid["problems"]]) == (True, ["empty-source"])
    assert refused(story.ask("plan", status=3)) == [("empty-source", "empty")]
    assert refused(story.apply(status=3)) == [("empty-source", "empty")]
    assert nothing_is_written(story)
    for verb in (["plan"], ["apply", "--yes"]):
        missing = story.ask(verb[0], "gone.d", *verb[1:], status=1)["error"]
        assert (missing["code"], "gone.d" in missing["message"]) == ("no-such-directory", True)
    assert nothing_is_written(story)


def test_a_file_that_is_too_large_is_a_problem_of_that_file(story):
    story.write(here=PLAIN)
    with (story.directory / "large.yaml").open("w") as large:
        large.write("version: 1\n")
        large.writelines(f"# {'x' * 1021}\n" for _ in range(17 * 1024))
    problems = story.ask("apply", "--yes", status=1)["error"]["problems"]
    assert [(one["file"], one["code"]) for one in problems] == [("large.yaml", "too-large")]
    assert nothing_is_written(story)


def test_the_same_meaning_spelled_otherwise_is_no_change(story):
    story.write(here=PLAIN)
    story.apply()
    (story.directory / "here.yaml").unlink()
    story.write(**SPELLED_OTHERWISE)
    assert story.ask("plan", "--detailed-exitcode")["changes"] == []
    before = story.counts("audit_events", "reconcile_runs")
    assert story.apply()["run"] is None
    assert story.counts("audit_events", "reconcile_runs") == before
    shown = story.ask("show", "model:here/two")
    assert (shown["file"], shown["line"]) == ("second.yaml", 7)


def test_what_only_the_database_refuses_leaves_the_tables_and_one_failed_run(story):
    story.edit("ALTER TABLE provider_model_configs ADD CHECK (model_id <> 'two')")
    story.write(here=PLAIN)
    assert story.ask("plan")["summary"]["create"] == 5
    error = story.ask("apply", "--yes", status=1)["error"]
    assert error["code"] == "database-refused"
    assert story.counts(*NOTHING_WRITTEN) == (0, 0, 0, 1)
    ((succeeded, reason, generation),) = story.rows("SELECT succeeded, error, generation FROM reconcile_runs")
    assert (succeeded, generation) == (False, None)
    assert "provider_model_configs" in reason
    story.write(here=PLAIN.replace("two:", "three:"))
    assert story.apply()["applied"]["create"] == 5


def test_two_first_applies_at_once_both_end_well(new):
    new.write(here=PLAIN)
    with started(new, "apply", "--no-verify") as one, started(new, "apply", "--no-verify") as other:
        answers = [json.loads(command.communicate(timeout=120)[0]) for command in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0)
    assert sorted(answer["applied"]["create"] for answer in answers) == [0, 5]
    assert new.counts("reconcile_runs", "provider_model_configs") == (1, 2)
    assert new.ask("plan")["changes"] == []


def test_two_applies_of_different_files_leave_one_of_the_two_states(story):
    folders = [story.folder / name / "providers.d" for name in ("left", "right")]
    for folder, temperature in zip(folders, (0.25, 0.75), strict=True):
        write_files(folder, here=PLAIN.replace("temperature: 1", f"temperature: {temperature}"))
    commands = [started(story, "apply", str(folder), "--no-verify") for folder in folders]
    answers = [json.loads(command.communicate(timeout=120)[0]) for command in commands]
    assert [command.returncode for command in commands] == [0, 0]
    assert {answer["run"] for answer in answers} == {1, 2}
    stored = story.rows("SELECT DISTINCT temperature FROM llm_parameters WHERE temperature IS NOT NULL")
    last = max(range(2), key=lambda number: answers[number]["run"])
    assert stored == [((0.25, 0.75)[last],)]
    assert story.ask("plan", str(folders[last]))["changes"] == []
    assert len(story.ask("plan", str(folders[1 - last]))["changes"]) == 2


@pytest.mark.parametrize(
    ("held", "point"),
    [
        pytest.param("SELECT 1 FROM registry FOR UPDATE", "waiting for the registry", id="at the start"),
        pytest.param("LOCK TABLE managed_entities IN SHARE MODE", "all rows written", id="in the middle"),
    ],
)
def test_ctrl_c_during_an_apply_is_one_line_and_nothing_half_done(story, held, point):
    story.write(here=PLAIN)
    with psycopg.connect(story.database) as holder:
        holder.execute(held)
        with started(story, "apply", output="text") as applying:
            assert eventually(lambda: waits_for_a_lock(story), within=60), point
            applying.send_signal(signal.SIGINT)
            out, err = applying.communicate(timeout=60)
    assert (applying.returncode, out, err) == (130, "", "error[interrupted]: Interrupted.\n")
    assert nothing_is_written(story)
    assert story.apply()["applied"]["create"] == 5


def test_ctrl_c_while_verifying_keeps_what_was_applied_and_says_so(story):
    with FakeProviders() as fake:
        story = story.with_env(RECONCILER_ALLOWED_HOSTS=fake.host)
        story.write(here=provider("here", "gpt-4", base_url=fake.base_url("openai", "hang")))
        with started(story, "apply") as applying:
            assert fake.wait_for(1, timeout=60)
            applying.send_signal(signal.SIGINT)
            out, err = applying.communicate(timeout=60)
        assert applying.returncode == 130
        assert err.startswith("error[interrupted]: ")
        assert len(err.splitlines()) == 1
        answer = json.loads(out)
        assert (answer["run"], answer["applied"]["create"]) == (1, 2)
        assert answer["error"]["code"] == "interrupted"
        assert story.ask("plan")["changes"] == []
        seen = len(fake.requests)
        with started(story, "verify", "--all") as verifying:
            assert fake.wait_for(seen + 1, timeout=60)
            verifying.send_signal(signal.SIGINT)
            out, _ = verifying.communicate(timeout=60)
        assert (verifying.returncode, json.loads(out)["error"]["code"]) == (130, "interrupted")
    assert story.counts("verification_results") == (0,)
    assert steps(story.ask("plan")) == []


def test_an_older_and_a_newer_database_are_told_apart(story):
    for revision, told in (("0000", "older"), ("9999", "newer")):
        story.edit(f"UPDATE reconciler_version SET version_num = '{revision}'")
        for words in (["plan"], ["apply", "--yes"]):
            story.write(here=PLAIN)
            error = story.ask(*words, status=1)["error"]
            assert (error["code"], told in error["message"], bool(error["hint"])) == (
                "database-schema",
                True,
                True,
            )


def test_a_reader_of_a_database_without_tables_is_told_what_sets_it_up(new):
    for words in (["list"], ["show", "provider:here"], ["history"], ["verify"], ["export"]):
        error = new.ask(*words, status=1)["error"]
        assert error["code"] == "database-schema"
        assert "reconciler apply" in error["hint"]
    assert tables(new) == []
    assert list(new.folder.iterdir()) == []


def test_an_export_says_what_no_file_can_hold(story):
    story.write(here=PLAIN)
    story.apply()
    story.edit("INSERT INTO llm_parameters (name, temperature) VALUES ('odd', 'Infinity')")
    answer = story.run("export", "copy.d")
    assert answer.status == 0
    assert "The files will not load as they are: parameters.yaml" in answer.stderr
    assert story.run("validate", "copy.d").status == 1
