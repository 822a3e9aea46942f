"""The registry in a program's memory, started again, told wrongly, and forked at the worst moment."""

import subprocess
import sys
import threading

import pytest
from support.polling import eventually
from support.rows import insert, insert_model

from reconciler.errors import StoreUnavailableError
from reconciler.runtime.registry import Registry
from reconciler.store import observe
from reconciler.store.session import connect


@pytest.fixture
def connection(database):
    with connect(database) as opened:
        insert(opened, "providers", name="p", kind="openai")
        insert_model(opened, "p/m", version="0")
        yield opened


def change(connection, version):
    """Commit a change; the registry's generation after it."""
    connection.execute("UPDATE provider_model_configs SET version = %s", [version])
    return observe.read_generation(connection)


def end_others(connection):
    """Break every other connection to this database."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_a_registry_that_has_started_is_connected(database, connection):
    for _ in range(10):
        with Registry(database) as registry:
            assert registry.is_connected
        assert not registry.is_connected


def test_a_second_start_waits_until_the_snapshot_is_current(database, connection):
    registry = Registry(database, poll=60).start()
    registry.close()
    for version in "123":
        change(connection, version)
        with registry:
            assert registry.get("p", "m").version == version


def test_a_second_start_that_fails_says_so_and_keeps_the_last_snapshot(database, connection):
    registry = Registry(database).start()
    registry.close()
    connection.execute("ALTER TABLE registry RENAME TO elsewhere")
    with pytest.raises(StoreUnavailableError):
        registry.start()
    assert registry.get("p", "m").version == "0"
    assert not registry.is_connected
    connection.execute("ALTER TABLE elsewhere RENAME TO registry")
    with registry:
        assert registry.is_connected


def test_a_thread_that_still_waited_for_the_server_has_no_say_when_it_returns(database, connection):
    registry = Registry(database, poll=0.05).start()
    assert eventually(lambda: registry.is_listening)
    with connect(database) as other, other.transaction():
        other.execute("LOCK registry IN ACCESS EXCLUSIVE MODE")
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        assert eventually(lambda: connection.execute(waiting).fetchone() == (1,))
        registry.close()
        again = threading.Thread(target=registry.start)
        again.start()
        assert eventually(lambda: connection.execute(waiting).fetchone() == (2,))
    again.join(10)
    threads = [one for one in threading.enumerate() if one.name == "reconciler-registry"]
    assert eventually(lambda: sum(one.is_alive() for one in threads) <= 1)
    assert eventually(lambda: registry.is_listening)
    assert registry.is_connected
    assert registry.wait_for(change(connection, "1"))
    registry.close()


def test_words_that_cannot_be_said_do_not_end_the_thread(database, connection, caplog):
    def say(_):
        raise ValueError("I/O operation on closed file")

    with Registry(database, poll=0.05, say=say) as registry:
        end_others(connection)
        assert eventually(lambda: "cannot be refreshed" in caplog.text)
        assert registry.wait_for(change(connection, "1"))
    assert "I/O operation on closed file" in caplog.text


def test_no_pause_is_too_long(database, connection):
    said = []
    with Registry(database, poll=float("inf"), listen=False, say=said.append) as registry:
        assert registry.wait_for(change(connection, "1"))
        assert registry.is_connected
    assert said == []


FORKED_WHILE_LOSING = """
import os, sys, threading
from reconciler.runtime.registry import Registry
from reconciler.store.session import connect

inside, forked = threading.Event(), threading.Event()

def say(text):
    if "cannot be" in text:
        inside.set()
        forked.wait(20)

registry = Registry(sys.argv[1], poll=0.05, say=say).start()
with connect(sys.argv[1]) as connection:
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert inside.wait(20)
    child = os.fork()
    if not child:
        seen = registry.wait_for(int(sys.argv[2]), 20)
        print("child", seen, registry.get("p", "m").version, flush=True)
        os._exit(0)
    forked.set()
    connection.execute("UPDATE provider_model_configs SET version = 'new'")
os.waitpid(child, 0)
registry.close()
"""


def test_a_child_that_is_forked_while_the_database_is_lost_finds_it_again(database, connection):
    words = [database, str(observe.read_generation(connection) + 1)]
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED_WHILE_LOSING, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("child True new\n", "", 0)
