"""Which files belong to a directory, real ones on a real file system, and what happens to all the others."""

import gc
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.documents import content, only, write

from reconciler.core.problem import Place
from reconciler.errors import UsageError
from reconciler.source import files
from reconciler.source.load import load, require_valid

FULL = "version: 1\nproviders: {p: {kind: groq, models: {m: {parameters: s}}}}\nparameters: {s: {}}\n"
SET = "version: 1\nparameters: {%s: {}}\n"
# The user that reads what root wrote for itself alone.
NOBODY = 65534


def errors(state):
    return [(problem.code, problem.place.file) for problem in state.problems if problem.severity == "error"]


def test_a_directory_that_does_not_exist_is_an_error_and_no_empty_source(tmp_path):
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "nowhere")
    assert caught.value.code == "no-such-directory"
    assert caught.value.exit_status == 1


def test_a_file_is_no_directory(tmp_path):
    write(tmp_path, {"a.yaml": FULL})
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "a.yaml")
    assert caught.value.code == "not-a-directory"


def test_an_empty_directory_is_valid_with_a_warning(tmp_path):
    state = load(tmp_path)
    require_valid(state)
    assert (only(state).code, only(state).place) == ("empty-source", Place(".", 1, 1))
    assert (state.entities, state.files) == ({}, {})


def test_yaml_files_of_all_folders_belong_and_nothing_else(tmp_path):
    write(
        tmp_path,
        {"b/c.YML": FULL, "a.yaml": SET % "a", "b/d/e.Yaml": SET % "e", "README.md": "#", "f.json": "{"},
    )
    ignored = (
        ".hidden.yaml",
        "#auto.yaml",
        "~lock.yaml",
        "a.yaml~",
        "a.yaml.bak",
        ".git/x.yaml",
        ".#a.yaml",
        "b/.c.yml",
    )
    write(tmp_path, dict.fromkeys(ignored, "no: yaml: at: all"))
    state = load(tmp_path)
    assert list(state.files) == ["a.yaml", "b/c.YML", "b/d/e.Yaml"]
    assert errors(state) == []


def test_a_byte_order_mark_and_windows_line_ends_are_taken(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode() + b"foo: 1\r\n")
    problem = only(load(tmp_path))
    assert (problem.code, problem.place) == ("unknown-field", Place("a.yaml", 4, 1))


def test_a_config_map_is_read_once(tmp_path):
    write(tmp_path, {"..2024_10_21/a.yaml": FULL, "..2024_10_21/b.yaml": SET % "b"})
    (tmp_path / "..data").symlink_to("..2024_10_21")
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    state = load(tmp_path)
    assert errors(state) == []
    assert list(state.files) == ["a.yaml", "b.yaml"]
    assert state.counts["parameters"] == 2


def test_a_directory_may_be_a_link_itself(tmp_path):
    write(tmp_path / "real", {"a.yaml": FULL})
    (tmp_path / "link").symlink_to("real")
    assert content(load(tmp_path / "link")) == content(load(tmp_path / "real"))


def test_each_real_file_is_read_once_under_its_own_name(tmp_path):
    write(tmp_path, {"z/real.yaml": FULL})
    (tmp_path / "a.yaml").symlink_to("z/real.yaml")
    (tmp_path / "b").symlink_to("z")
    state = load(tmp_path)
    assert list(state.files) == ["z/real.yaml"]
    assert state.problems == ()


@pytest.mark.parametrize(
    ("name", "target"),
    [
        pytest.param("b.yaml", "../outside/x.yaml", id="a file outside"),
        pytest.param("b", "../outside", id="a folder outside"),
        pytest.param("b.yaml", "nowhere.yaml", id="nothing"),
        pytest.param("b", "nowhere", id="no folder"),
        pytest.param("b.yaml", "b.yaml", id="itself"),
        pytest.param("b", ".", id="the directory itself"),
        pytest.param("b", "..", id="what is above"),
        pytest.param("b.yaml", "/etc/passwd", id="the system's"),
    ],
)
def test_links_that_lead_out_or_nowhere_are_refused(tmp_path, name, target):
    write(tmp_path, {"outside/x.yaml": FULL, "in/a.yaml": FULL})
    (tmp_path / "in" / name).symlink_to(target)
    state = load(tmp_path / "in")
    assert errors(state) == [("symlink", name)]
    assert state.counts["provider"] == 1


def test_links_that_are_nobodys_business_are_left_alone(tmp_path):
    write(tmp_path, {"in/a.yaml": FULL, "README.md": "#"})
    (tmp_path / "in" / "README.md").symlink_to("../README.md")
    (tmp_path / "in" / "gone.txt").symlink_to("nowhere")
    assert errors(load(tmp_path / "in")) == []


def test_a_folder_that_links_back_above_itself_is_refused(tmp_path):
    write(tmp_path, {"a/b/c.yaml": FULL})
    (tmp_path / "a" / "b" / "back").symlink_to("../../a")
    assert errors(load(tmp_path)) == [("symlink", "a/b/back")]


@pytest.mark.timeout(20)
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path):
    write(tmp_path, {"a.yaml": FULL})
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yml").mkdir()
    (tmp_path / "link.yaml").symlink_to("pipe.yaml")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.yaml"))
        state = load(tmp_path)
    assert sorted(errors(state)) == [
        ("not-a-file", "folder.yml"),
        ("not-a-file", "link.yaml"),
        ("not-a-file", "pipe.yaml"),
        ("not-a-file", "s.yaml"),
    ]


@pytest.mark.timeout(20)
def test_a_pipe_that_takes_a_files_place_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(files.UnreadableError) as caught:
        files.read(files.Found("a.yaml", str(tmp_path / "a.yaml")))
    assert caught.value.fault.code == "not-a-file"


def test_a_file_that_is_gone_when_it_is_read_is_unreadable(tmp_path):
    with pytest.raises(files.UnreadableError) as caught:
        files.read(files.Found("a.yaml", str(tmp_path / "a.yaml")))
    assert caught.value.fault.code == "unreadable"


def test_what_one_may_not_read_is_an_error_and_not_nothing():
    # Not below pytest's own folder, which is closed to the other user.
    with tempfile.TemporaryDirectory() as name:
        directory = write(Path(name), {"a.yaml": FULL, "secret.yaml": FULL, "closed/b.yaml": FULL})
        directory.chmod(0o755)
        (directory / "secret.yaml").chmod(0)
        (directory / "closed").chmod(0)
        try:
            assert errors_for_anybody(directory) == ["unreadable closed", "unreadable secret.yaml"]
        finally:
            (directory / "closed").chmod(0o700)


def errors_for_anybody(directory):
    """The errors of a directory for a user to whom permissions apply: to root they do not.

    The other user is taken on after everything is loaded, for it may be unable to read this checkout.
    """
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from reconciler.source import load\n"
        "load.load(Path(sys.argv[1]))\n"
        f"os.getuid() or os.setuid({NOBODY})\n"
        "for problem in load.load(Path(sys.argv[1])).problems:\n"
        "    problem.severity == 'error' and print(problem.code, problem.place.file)\n"
    )
    return printed(code, directory)


def printed(code, directory):
    """The lines that a program of its own prints about a directory."""
    answer = subprocess.run(
        [sys.executable, "-c", code, str(directory)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return answer.stdout.splitlines()


def test_a_file_of_more_than_16_mib_is_refused(tmp_path):
    write(tmp_path, {"a.yaml": FULL})
    (tmp_path / "big.yaml").write_bytes(b"#" * (16 * 1024 * 1024 + 1))
    (tmp_path / "just.yaml").write_bytes(b"#" * (16 * 1024 * 1024))
    assert errors(load(tmp_path)) == [("too-large", "big.yaml")]


def test_more_files_than_there_may_be_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "COUNT_LIMIT", 3)
    write(tmp_path, {f"{number}.yaml": SET % f"s{number}" for number in range(5)})
    assert errors(load(tmp_path)) == [("too-large", ".")]


def test_names_of_any_bytes_can_be_shown(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9\n\x1b.yaml"
    Path(os.fsdecode(name)).write_text(FULL + "foo: 1\n", encoding="utf-8")
    problem = only(load(tmp_path))
    assert problem.place.file.isprintable()
    problem.place.file.encode()


@pytest.mark.timeout(60)
def test_a_huge_list_in_one_line_ends_in_bounded_time_and_memory(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "version: 1\nx-a: [" + "1," * (8 * 1024 * 1024 - 100) + "1]\n", encoding="utf-8"
    )
    code = (
        "import re, sys; from pathlib import Path; from reconciler.source.load import load\n"
        "print(*(problem.code for problem in load(Path(sys.argv[1])).problems))\n"
        # Not ru_maxrss: it remembers the process that this one was forked from.
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    codes, kibibytes = printed(code, tmp_path)
    assert codes == "alias"
    assert int(kibibytes) < 300 * 1024


def test_loading_is_indifferent_to_the_order_in_which_files_were_made(tmp_path):
    texts = {f"{number}.yaml": SET % f"s{number}" for number in range(30)}
    names = list(texts)
    random.Random(4).shuffle(names)
    one = load(write(tmp_path / "one", texts))
    other = load(write(tmp_path / "other", {name: texts[name] for name in names}))
    assert (one.problems, one.files, list(one.entities)) == (
        other.problems,
        other.files,
        list(other.entities),
    )


def test_the_garbage_collector_runs_again_after_loading(tmp_path):
    write(tmp_path, {"a.yaml": FULL})
    gc.disable()
    try:
        load(tmp_path)
        assert not gc.isenabled()
    finally:
        gc.enable()
    load(tmp_path)
    assert gc.isenabled()


# Where a directory comes from


def git(directory, *arguments):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit and a configuration in a folder of it."""
    root = tmp_path / "checkout"
    write(root / "providers.d", {"a.yaml": FULL})
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "first")
    return root


def test_without_a_repository_the_directorys_own_name_counts(tmp_path):
    identity = load(write(tmp_path / "staging", {"a.yaml": FULL})).identity
    assert (identity.origin, identity.revision) == ("staging", None)


def test_without_a_remote_the_name_counts_and_the_commit_is_known(repository):
    identity = load(repository / "providers.d").identity
    assert identity.origin == "providers.d"
    assert len(identity.revision) == 40


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://me:hunter2@example.org/team/repo.git", "https://example.org/team/repo.git//providers.d"),
        ("https://token@example.org/team/repo?x=hunter2", "https://example.org/team/repo//providers.d"),
        ("git@example.org:team/repo.git", "example.org:team/repo.git//providers.d"),
        ("ssh://git@example.org:22/team/repo.git", "ssh://example.org:22/team/repo.git//providers.d"),
        ("/srv/git/repo@2.git", "/srv/git/repo@2.git//providers.d"),
        ("https://me:se/hunter2@example.org/r", "https://example.org/r//providers.d"),
        ("https://me:hunter2?#@example.org/r", "https://example.org/r//providers.d"),
        ("me:se/hunter2@example.org:r", "example.org:r//providers.d"),
        ("https://[oops/x", "https://[oops/x//providers.d"),
        ("https://example.org/r#hunter2", "https://example.org/r//providers.d"),
    ],
)
def test_the_remote_and_the_path_within_it_count(repository, url, origin):
    git(repository, "remote", "add", "origin", url)
    git(repository, "remote", "add", "another", "https://elsewhere.example/x.git")
    assert load(repository / "providers.d").identity.origin == origin
    assert "//" not in load(repository).identity.origin.removeprefix("https://").removeprefix("ssh://")


@pytest.mark.parametrize("below", ["", "checkout"])
def test_a_directory_whose_name_is_no_text_is_still_named(below, repository, tmp_path):
    named = os.fsencode(tmp_path / below) + b"/caf\xe9"
    shutil.copytree(repository / "providers.d", os.fsdecode(named))
    directory = Path(os.fsdecode(named))
    assert load(directory).identity.origin == "caf\\udce9"
    git(repository, "remote", "add", "origin", "https://example.org/r")
    origin = load(directory).identity.origin
    assert origin == ("https://example.org/r//caf\\udce9" if below else "caf\\udce9")


def test_nothing_of_a_repository_is_run(repository):
    trap = repository / "trap"
    trap.write_text("#!/bin/sh\ntouch '" + str(repository / "sprung") + "'\n", encoding="utf-8")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "credential.helper"):
        git(repository, "config", name, str(trap))
    git(repository, "config", "remote.origin.url", f"ext::{trap}")
    load(repository / "providers.d")
    assert not (repository / "sprung").exists()


def test_the_surroundings_of_another_repository_do_not_count(repository, tmp_path, monkeypatch):
    other = write(tmp_path / "other", {"a.yaml": FULL})
    git(other, "init")
    git(repository, "remote", "add", "origin", "https://example.org/a.git")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert load(repository / "providers.d").identity.origin == "https://example.org/a.git//providers.d"
