"""The embedded server is there while somebody uses it, and gone when nobody does, however its users end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from support import accounts
from support.polling import eventually
from support.postgres import short_folder
from support.server_user import using

from reconciler.errors import EmbeddedServerError
from reconciler.store import embedded
from reconciler.store.embedded import cluster, guardian, homes, locks
from reconciler.store.embedded.binaries import candidates, choose
from reconciler.store.embedded.identity import environment, server_account

SHORT = 0.6


@pytest.fixture(scope="module")
def made():
    """A home with a database in it, for all tests here: making one takes as long as several tests."""
    with short_folder() as folder:
        with embedded.open_server(folder):
            pass
        yield folder


@pytest.fixture
def home(made):
    """A home with a database in it; no server runs before and after."""
    assert stopped(made)
    yield made
    assert stopped(made)


@pytest.fixture
def empty():
    """An empty home."""
    with short_folder() as folder:
        yield folder
        assert stopped(folder)


def stopped(folder):
    embedded.stop(folder)
    return eventually(lambda: is_gone(homes.at(folder)))


@pytest.fixture
def at(home):
    return homes.at(home)


def ask(url, query):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchone()[0]


def started_at(url):
    return ask(url, "SELECT pg_postmaster_start_time()")


def is_gone(at):
    return not at.root.exists() or not (locks.is_held(at.server) or locks.is_held(at.guardian))


def server_number(at):
    return int((at.database / "postmaster.pid").read_text().split()[0])


def guardian_number(at):
    # The server's parent: the fourth word of what the kernel says about it.
    return int(Path(f"/proc/{server_number(at)}/stat").read_text().rpartition(")")[2].split()[1])


def test_the_first_start_makes_the_role_and_the_database(empty):
    told = []
    with embedded.open_server(empty, say=told.append) as url:
        assert url == embedded.url(empty)
        row = ask(
            url,
            "SELECT ARRAY[current_user, current_database(), pg_encoding_to_char(encoding)]::text[]"
            " FROM pg_database WHERE datname = current_database()",
        )
    assert row == ["reconciler", "reconciler", "UTF8"]
    assert len(told) == 1
    assert str(empty) in told[0]


def test_text_is_sorted_by_code_point_and_folded_by_unicode(home):
    with embedded.open_server(home) as url:
        assert ask(url, "SELECT array_agg(x ORDER BY x) FROM unnest(ARRAY['a', 'B', 'ä']) x") == [
            "B",
            "a",
            "ä",
        ]
        assert ask(url, "SELECT lower('ÄÉ')") == "äé"


def test_sqlalchemy_takes_the_address_with_its_driver_named(home):
    with embedded.open_server(home) as url:
        engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as connection:
            assert connection.scalar(sqlalchemy.text("SELECT current_user")) == "reconciler"
        engine.dispose()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("listen_addresses", ""), ("fsync", "on"), ("synchronous_commit", "on"), ("max_connections", "50")],
)
def test_the_server_is_durable_private_and_small(setting, value, home):
    with embedded.open_server(home) as url:
        assert ask(url, f"SHOW {setting}") == value


def test_options_are_the_starters(home):
    with embedded.open_server(home, options={"fsync": "off"}) as url:
        assert ask(url, "SHOW fsync") == "off"
        with embedded.open_server(home, options={"fsync": "on"}):
            assert ask(url, "SHOW fsync") == "off"


def test_the_port_of_the_environment_is_not_ours(home, monkeypatch):
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGHOST", "elsewhere.invalid")
    with embedded.open_server(home) as url:
        assert ask(url, "SELECT 1") == 1


def test_nobody_else_passes_the_socket_folder(home, at):
    with embedded.open_server(home):
        state = at.socket_folder.stat()
        assert state.st_mode & 0o777 == 0o700
        assert state.st_uid == accounts.SERVER_UID
        assert (at.socket_folder / ".s.PGSQL.5432").stat().st_uid == accounts.SERVER_UID


def test_four_starters_on_an_empty_folder_all_succeed(empty):
    with contextlib.ExitStack() as stack:
        users = [stack.enter_context(using(empty, linger=SHORT)) for _ in range(4)]
        answers = [user.answer() for user in users]
        assert [answer.get("error") for answer in answers] == [None] * 4
        assert len({started_at(answer["url"]) for answer in answers}) == 1


def test_a_start_with_everything_there_adds_little(home, at):
    ours, bare = [], []
    # On a machine that is busy with other tests, a bare server takes its time as well.
    while not ours or (min(ours) > max(0.15, 3 * min(bare)) and len(ours) < 20):
        bare.append(seconds_of_a_bare_start(at))
        began = time.perf_counter()
        with embedded.open_server(home):
            ours.append(time.perf_counter() - began)
        assert stopped(home)
    assert min(ours) <= max(0.15, 3 * min(bare))


def seconds_of_a_bare_start(at):
    programs, _ = choose(candidates(""), server_account("nobody"), at.binaries, print)
    command = [
        programs.postgres,
        "-D",
        str(at.database),
        "-k",
        str(at.socket_folder),
        "-c",
        "listen_addresses=",
    ]
    began = time.perf_counter()
    with subprocess.Popen(
        command, stderr=subprocess.DEVNULL, **accounts.identity(unprivileged=True)
    ) as server:
        assert eventually(lambda: cluster.answers(at))
        seconds = time.perf_counter() - began
        server.send_signal(signal.SIGINT)
    return seconds


def test_the_next_command_within_the_linger_finds_the_same_server(home):
    with embedded.open_server(home, linger=60) as url:
        first = started_at(url)
    with embedded.open_server(home, linger=60) as url:
        assert started_at(url) == first


def test_the_server_stops_after_its_last_user(home, at):
    with embedded.open_server(home, linger=SHORT):
        pass
    assert not is_gone(at)
    assert eventually(lambda: is_gone(at))
    assert list(at.socket_folder.iterdir()) == []
    assert not (at.database / "postmaster.pid").exists()


def test_a_killed_user_leaves_nothing_running(home, at):
    with using(home, linger=SHORT) as first, using(home, linger=SHORT) as second:
        assert "url" in first.answer()
        assert "url" in second.answer()
        server, watcher = server_number(at), guardian_number(at)
        first.kill()
        second.kill()
        assert eventually(lambda: is_gone(at))
    assert eventually(lambda: not is_running(server))
    assert eventually(lambda: not is_running(watcher))


def is_running(number):
    # A container's first process may not collect what ends: such a process runs no more.
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_the_server_stays_while_one_of_two_users_does(home, at):
    with using(home, linger=0.1) as staying, using(home, linger=0.1) as leaving:
        url = staying.answer()["url"]
        leaving.answer()
        first = started_at(url)
        leaving.kill()
        assert not eventually(lambda: is_gone(at), within=1.0)
        assert started_at(url) == first


def test_a_user_who_comes_while_the_guardian_lingers_is_waited_for(home, at):
    with embedded.open_server(home, linger=SHORT) as url:
        first = started_at(url)
    with using(home) as late:
        late.answer()
        assert not eventually(lambda: is_gone(at), within=2 * SHORT)
        assert started_at(url) == first


def test_a_user_who_came_and_went_starts_the_lingering_anew(home, at):
    with embedded.open_server(home, linger=1.0):
        pass
    eventually(lambda: False, within=0.6)
    with embedded.open_server(home):
        pass
    left = time.monotonic()
    assert eventually(lambda: is_gone(at))
    assert time.monotonic() - left >= 0.9


def test_stop_does_not_linger(home, at):
    with embedded.open_server(home, linger=60):
        pass
    assert embedded.stop(home)
    assert eventually(lambda: is_gone(at), within=2)
    assert not embedded.stop(home)


def test_stopping_where_nothing_ever_ran_says_so_and_makes_nothing(home):
    assert not embedded.stop(home / "never")
    assert not (home / "never").exists()


def test_stop_refuses_while_somebody_uses_the_server_and_names_them(home):
    with using(home) as user:
        url = user.answer()["url"]
        with pytest.raises(EmbeddedServerError, match=f"in use by process {user.number}"):
            embedded.stop(home)
        assert ask(url, "SELECT 1") == 1


def test_a_request_to_stop_that_meets_a_new_user_is_dropped(home, at):
    with embedded.open_server(home, linger=60):
        pass
    assert eventually(lambda: request_is_dropped(at))
    assert cluster.answers(at)


def request_is_dropped(at):
    # A user who is back before the guardian began to linger is none that it meets: then once more.
    with locks.held(at.users, shared=True, patience=5):
        at.stop_request.touch()
        dropped = eventually(lambda: not at.stop_request.exists(), within=0.5)
        at.stop_request.unlink(missing_ok=True)
    return dropped


def test_a_request_to_stop_that_the_guardian_never_saw_is_withdrawn(home, at):
    with embedded.open_server(home, linger=60):
        at.stop_request.touch()
        with pytest.raises(EmbeddedServerError, match=f"in use by process {os.getpid()}"):
            embedded._stopped(at, 30)
        assert not at.stop_request.exists()


def test_a_killed_server_is_started_again_with_what_was_committed(home, at):
    with embedded.open_server(home, linger=60) as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS number")
        os.kill(server_number(at), signal.SIGKILL)
        assert eventually(lambda: not locks.is_held(at.guardian))
        with embedded.open_server(home, linger=60) as again:
            assert again == url
            assert ask(url, "SELECT number FROM kept") == 7


def test_a_killed_guardian_leaves_no_server_behind(home, at):
    with embedded.open_server(home, linger=60):
        os.kill(guardian_number(at), signal.SIGKILL)
        assert eventually(lambda: not locks.is_held(at.server))


def test_a_killed_guardian_does_not_cut_off_a_session_and_is_replaced(home, at):
    with embedded.open_server(home, linger=60) as url:
        with psycopg.connect(url) as session:
            session.execute("SELECT 1")
            os.kill(guardian_number(at), signal.SIGKILL)
            assert eventually(lambda: not locks.is_held(at.guardian))
            assert session.execute("SELECT 2").fetchone() == (2,)
        with embedded.open_server(home, linger=60) as again:
            assert ask(again, "SELECT 3") == 3
            assert locks.is_held(at.guardian)


def test_a_session_that_outlives_its_guardian_for_long_makes_way(home, at):
    with embedded.open_server(home, linger=60) as url, contextlib.closing(psycopg.connect(url)):
        os.kill(guardian_number(at), signal.SIGKILL)
        assert eventually(lambda: not locks.is_held(at.guardian))
        with embedded.open_server(home, linger=60) as again:
            assert ask(again, "SELECT 3") == 3


def test_a_guardian_that_is_told_to_end_stops_its_server(home, at):
    with embedded.open_server(home, linger=60):
        os.kill(guardian_number(at), signal.SIGTERM)
        assert eventually(lambda: is_gone(at))
    assert "database system is shut down" in at.log.read_text()


def test_a_server_that_runs_but_does_not_answer_is_not_alive(home, at):
    with embedded.open_server(home, linger=60):
        server = server_number(at)
        os.kill(server, signal.SIGSTOP)
        try:
            with (
                pytest.raises(EmbeddedServerError, match="does not answer"),
                embedded.open_server(home, patience=0.5),
            ):
                pass
        finally:
            os.kill(server, signal.SIGCONT)


def test_files_that_a_crash_left_behind_do_not_stop_a_start(home, at):
    with embedded.open_server(home, linger=60):
        pass
    embedded.stop(home)
    # The number of a process that lives, as after a restart of the machine: PostgreSQL alone would give up.
    stranger = [sys.executable] if not accounts.IS_ROOT else [accounts.unprivileged_python().interpreter]
    living = subprocess.Popen(
        [*stranger, "-c", "input()"], stdin=subprocess.PIPE, **accounts.identity(unprivileged=True)
    )
    try:
        left = at.database / "postmaster.pid"
        left.write_text(f"{living.pid}\n{at.database}\n0\n5432\n{at.socket_folder}\n\n")
        (at.socket_folder / ".s.PGSQL.5432").write_text("no socket")
        (at.socket_folder / ".s.PGSQL.5432.lock").write_text(f"{living.pid}\n")
        with embedded.open_server(home) as url:
            assert ask(url, "SELECT 1") == 1
    finally:
        living.communicate(b"\n", timeout=30)


def test_the_server_and_its_guardian_know_no_secret_of_their_starter(home, at):
    with using(home) as user:
        user.answer()
        assert "CANARY" in Path(f"/proc/{user.number}/environ").read_text()
        for number in (server_number(at), guardian_number(at)):
            assert "CANARY" not in Path(f"/proc/{number}/environ").read_text()
    assert set(environment()) <= {"PATH", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}


def test_nothing_of_the_starter_stays_open_once_it_has_ended(home):
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    script = (
        "import sys; from reconciler.store.embedded import open_server\nwith open_server(sys.argv[1]): pass"
    )
    script = script.replace("sys.argv[1]", f"__import__('pathlib').Path({str(home)!r})")
    python = accounts.own_python()
    subprocess.run(
        [python.interpreter, "-c", script],
        env=python.environment,
        pass_fds=(writing,),
        check=True,
        timeout=60,
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as end:
        assert end.read() == b""  # would wait for as long as anybody held the other end
    assert embedded.stop(home)


def test_a_long_log_keeps_its_newest_part(tmp_path):
    log = tmp_path / "postgres.log"
    log.write_bytes(b"old\n" * 300_000 + b"new\n")
    with log.open("ab") as server:
        guardian.trim(str(log))
        server.write(b"newer\n")
    kept = log.read_bytes()
    assert kept.endswith(b"new\nnewer\n")
    assert len(kept) < 300_000


def test_a_start_trims_the_log_that_has_grown(home, at):
    at.log.write_bytes(b"old\n" * 300_000)
    with embedded.open_server(home):
        assert at.log.stat().st_size < 300_000
        assert "ready to accept connections" in at.log.read_text()


def test_a_server_that_does_not_start_says_why(home):
    with (
        pytest.raises(EmbeddedServerError, match=r"did not start .*shared_buffers"),
        embedded.open_server(home, options={"shared_buffers": "lots"}),
    ):
        pass
    with embedded.open_server(home) as url:
        assert ask(url, "SELECT 1") == 1


def test_an_unprivileged_user_has_a_server_of_its_own():
    with short_folder() as folder:
        accounts.give(folder)
        at = homes.at(folder)
        with using(folder, unprivileged=True, linger=SHORT) as user:
            answer = user.answer()
            assert answer.get("error") is None
            assert at.database.stat().st_uid == accounts.SERVER_UID
            assert folder.stat().st_uid == accounts.SERVER_UID
            user.kill()
            assert eventually(lambda: is_gone(at))
