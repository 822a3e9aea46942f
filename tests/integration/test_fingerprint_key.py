"""The key file that a machine keeps: made once, private, and nobody else's."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from reconciler.protocols.fingerprint import FILE, key_of_folder


def test_a_key_is_made_once_for_this_user_alone_and_found_again(tmp_path):
    first = key_of_folder(tmp_path)
    assert key_of_folder(tmp_path) == first
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_reader_makes_no_key(tmp_path):
    assert key_of_folder(tmp_path, make=False) is None
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_make_one_at_once_all_get_the_same(tmp_path):
    together = Barrier(8)

    def make(_):
        together.wait(timeout=30)
        return key_of_folder(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        assert len({key.name for key in pool.map(make, range(8))}) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def _link(path):
    path.with_name("elsewhere").write_bytes(b"x" * 32)
    path.with_name("elsewhere").chmod(0o600)
    path.symlink_to("elsewhere")


def _open_to_all(path):
    path.write_bytes(b"x" * 32)
    path.chmod(0o644)


def _cut_short(path):
    path.touch(0o600)


@pytest.mark.parametrize("spoil", [_link, _open_to_all, _cut_short, os.mkfifo])
def test_a_file_that_is_not_a_private_key_is_not_used_and_not_replaced(spoil, tmp_path):
    spoil(tmp_path / FILE)
    before = (tmp_path / FILE).lstat()
    with pytest.raises(OSError, match=FILE):
        key_of_folder(tmp_path)
    after = (tmp_path / FILE).lstat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_mode,
    )


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        key_of_folder(tmp_path / "nowhere")
