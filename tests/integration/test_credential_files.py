"""Credentials that lie in files: below allowed folders only, links followed first, and nothing else read."""

import os

import pytest
from support.probing import OPENAI

from reconciler.core.probe import Access
from reconciler.protocols.credentials import LARGEST_FILE, Secret, resolve

CANARY = "sk-canary-file-77aa"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "outside").write_text(CANARY)
    return tmp_path / "secrets"


def found(path, folder):
    return resolve(f"file:{path}", kind=OPENAI, access=Access(allowed_files=(str(folder),)))


def missing_reason(path, folder):
    result = found(path, folder)
    assert (result.outcome, CANARY in result.detail) == ("secret_missing", False)
    return result.detail


@pytest.mark.parametrize("content", [CANARY, f"{CANARY}\n", f"{CANARY}\r\n", f"\ufeff{CANARY}\n"])
def test_a_files_outer_line_ends_are_not_part_of_the_secret(folder, content):
    (folder / "key").write_text(content)
    secret = found(folder / "key", folder)
    assert isinstance(secret, Secret)
    assert (secret.reveal(), secret.source) == (CANARY, str(folder / "key"))


def test_a_mounted_secret_is_found_behind_its_links(folder):
    (folder / "..2026").mkdir()
    (folder / "..2026" / "key").write_text(CANARY)
    (folder / "..data").symlink_to("..2026")
    (folder / "key").symlink_to("..data/key")
    assert found(folder / "key", folder).reveal() == CANARY


def test_an_allowed_folder_may_itself_be_a_link(folder, tmp_path):
    (folder / "key").write_text(CANARY)
    (tmp_path / "run").symlink_to(folder)
    assert found(tmp_path / "run" / "key", tmp_path / "run").reveal() == CANARY


@pytest.mark.parametrize("way", ["directly", "by dots", "by a link", "a name that begins alike"])
def test_nothing_outside_the_allowed_folders_is_read(folder, tmp_path, way):
    (folder / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "secrets-of-others").write_text(CANARY)
    paths = {
        "directly": tmp_path / "outside",
        "by dots": folder / ".." / "outside",
        "by a link": folder / "link",
        "a name that begins alike": tmp_path / "secrets-of-others",
    }
    result = found(paths[way], folder)
    assert result.outcome == "refused_reference"
    assert f"RECONCILER_ALLOWED_FILES={tmp_path}" in result.detail
    assert CANARY not in result.detail


def test_a_file_that_is_not_there_is_named(folder):
    assert str(folder / "none") in missing_reason(folder / "none", folder)


def test_links_in_a_circle_are_no_secret(folder):
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    assert str(folder / "a") in missing_reason(folder / "a", folder)


def test_an_empty_file_is_no_secret(folder):
    (folder / "key").write_text("\n")
    assert "is empty" in missing_reason(folder / "key", folder)


def test_a_folder_is_no_secret(folder):
    (folder / "key").mkdir()
    assert "Is a directory" in missing_reason(folder / "key", folder)


def test_a_pipe_that_nobody_writes_does_not_stop_the_run(folder):
    os.mkfifo(folder / "key")
    assert "not a regular file" in missing_reason(folder / "key", folder)


def test_a_file_too_large_for_a_credential_is_not_taken(folder):
    (folder / "key").write_text(CANARY * LARGEST_FILE)
    assert "too large" in missing_reason(folder / "key", folder)


def test_a_file_of_two_lines_is_not_taken(folder):
    (folder / "key").write_text(f"{CANARY}\n{CANARY}\n")
    assert "line break" in missing_reason(folder / "key", folder)


def test_a_file_that_is_no_text_is_not_quoted(folder):
    (folder / "key").write_bytes(CANARY.encode() + b"\xff\xfe")
    assert "not plain text" in missing_reason(folder / "key", folder)
