"""The verbs that need only files, as a new user types them."""

import json

import pytest
from support.commands import run_command

PLACE = "providers.d/shared.yaml:6:5: error[unknown-field]: "


def misspell(folder):
    """Make a typo in a file that `init` wrote."""
    shared = folder / "providers.d" / "shared.yaml"
    shared.write_text(shared.read_text().replace("temperature:", "temperatur:"))


@pytest.fixture
def started(tmp_path):
    """A folder in which `init` was run."""
    assert run_command("init", cwd=tmp_path).status == 0
    return tmp_path


def test_init_writes_files_that_are_valid_without_a_warning(started):
    answer = run_command("validate", "--output", "json", cwd=started)
    assert answer.status == 0
    assert answer.document == {
        "format": 1,
        "valid": True,
        "entities": {"provider": 1, "parameters": 2, "template": 1, "model": 2},
        "problems": [],
    }


def test_init_tells_what_it_wrote_and_what_comes_next(tmp_path):
    answer = run_command("init", "conf", cwd=tmp_path)
    assert answer.stdout == "Wrote conf/openai.yaml\nWrote conf/shared.yaml\nNext: reconciler validate conf\n"
    assert sorted(path.name for path in (tmp_path / "conf").iterdir()) == ["openai.yaml", "shared.yaml"]


def test_init_never_overwrites(started):
    kept = started / "providers.d" / "shared.yaml"
    kept.write_text("version: 1\n")
    (started / "providers.d" / "openai.yaml").unlink()
    answer = run_command("init", "--output", "json", cwd=started)
    assert answer.status == 1
    assert answer.document["error"]["code"] == "exists"
    assert kept.read_text() == "version: 1\n"
    assert not (started / "providers.d" / "openai.yaml").exists()


@pytest.mark.parametrize("name", ["d" * 300, "circle/conf"])
def test_init_says_where_it_cannot_write(name, tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    answer = run_command("init", name, "--output", "json", cwd=tmp_path)
    assert answer.status == 1
    assert answer.document["error"]["code"] == "unwritable"
    assert [path.name for path in tmp_path.iterdir()] == ["circle"]


def test_a_typo_gives_the_place_the_reason_and_the_fix(started):
    misspell(started)
    answer = run_command("validate", cwd=started)
    assert answer.status == 1
    first, hint, *_, last = answer.stdout.splitlines()
    assert first.startswith(PLACE)
    assert "temperature" in hint
    assert last.startswith("1 error")
    assert answer.stderr == ""


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_bad_files_are_the_same_story_for_every_verb(started, verb):
    misspell(started)
    words = [verb, "--database-url", "postgresql://nowhere.invalid/x", *(["--yes"] * (verb == "apply"))]
    answer = run_command(*words, cwd=started)
    assert answer.status == 1
    assert answer.stdout == ""
    assert PLACE in answer.stderr
    error = run_command(*words, "--output", "json", cwd=started).document["error"]
    assert error["code"] == "invalid-source"
    codes = [problem["code"] for problem in error["problems"] if problem["severity"] == "error"]
    assert codes == ["unknown-field"]


@pytest.mark.parametrize("verb", ["validate", "render", "plan"])
def test_a_directory_that_is_not_there_is_an_error(verb, tmp_path):
    answer = run_command(verb, "--output", "json", cwd=tmp_path)
    assert answer.status == 1
    assert answer.document["error"]["code"] == "no-such-directory"


def test_render_prints_what_would_be_stored(started):
    answer = run_command("render", "--output", "json", cwd=started)
    assert answer.status == 0
    assert answer.document["format"] == 1
    assert "gpt-4o-mini" in answer.stdout
    assert "gpt-4o-mini" in run_command("render", cwd=started).stdout


def test_schema_prints_a_json_schema():
    answer = run_command("schema")
    assert answer.status == 0
    assert json.loads(answer.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert run_command("schema", "--output", "json").stdout == answer.stdout


def test_problems_can_be_posted_as_a_comment(started):
    misspell(started)
    answer = run_command("validate", "--output", "markdown", cwd=started)
    assert answer.stdout.startswith(f"**Not valid.**\n\n```text\n{PLACE}")
