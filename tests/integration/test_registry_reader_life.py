"""The registry in a program's memory, while the database goes and comes, behind a proxy, and as programs
fork, end and forget.
"""

import gc
import json
import statistics
import subprocess
import sys
import time

import pytest
from support import checkout
from support.polling import eventually
from support.pooling_proxy import pooling_proxy
from support.private_home import private_home
from support.registry_readers import readers
from support.rows import insert, insert_model

from reconciler.runtime.registry import Registry
from reconciler.store import embedded, migrate, observe
from reconciler.store.session import connect

GONE = "The registry cannot be refreshed, and its last snapshot is served: "
BACK = "The registry's database is back."


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


def test_a_direct_connection_proves_itself_and_hears_of_changes(database, connection):
    with Registry(database, poll=60) as registry:
        assert eventually(lambda: registry.is_listening)
        for version in "123":
            generation = change(connection, version)
            assert eventually(lambda at=generation: registry.generation == at)
            assert registry.get("p", "m").version == version
        assert registry.is_listening


def test_nobody_listens_where_that_is_not_wanted(database, connection):
    with Registry(database, poll=0.1, listen=False) as registry:
        generation = change(connection, "1")
        assert eventually(lambda: registry.generation == generation)
        assert not registry.is_listening


@pytest.mark.parametrize("honest_keys", [False, True])
def test_behind_a_proxy_that_pools_changes_are_found_by_asking(database, connection, honest_keys):
    with pooling_proxy(database, honest_keys=honest_keys) as proxy, Registry(proxy.url, poll=0.3) as registry:
        for version in "123":
            generation = change(connection, version)
            began = time.monotonic()
            assert eventually(lambda at=generation: registry.generation == at)
            # The interval, and what a busy machine adds.
            assert time.monotonic() - began < 0.3 + 2
        assert registry.get("p", "m").version == "3"
        assert (registry.is_listening, registry.is_connected) == (False, True)
        assert proxy.transactions > 5


def test_a_proof_that_came_through_an_idle_proxy_is_not_believed_for_long(database, connection):
    with (
        pooling_proxy(database, sessions=1, honest_keys=True) as proxy,
        Registry(proxy.url, poll=0.2) as registry,
    ):
        assert eventually(lambda: registry.is_listening)
        for version in "12":
            generation = change(connection, version)
            assert eventually(lambda at=generation: registry.generation == at)
        assert eventually(lambda: not registry.is_listening)


def test_a_connection_that_is_broken_again_and_again_is_made_again(database, connection):
    said = []
    with Registry(database, poll=0.2, say=said.append) as registry:
        thread = registry._keeper._thread
        for number in range(1, 6):
            end_others(connection)
            assert eventually(lambda times=number: said.count(BACK) == times), said
            generation = change(connection, str(number))
            assert eventually(lambda at=generation: registry.generation == at)
            assert registry.get("p", "m").version == str(number)
        assert registry._keeper._thread is thread
        assert thread.is_alive()
        assert eventually(lambda: registry.is_listening)
    assert [line == BACK for line in said] == [False, True] * 5
    assert all(line.startswith(GONE) for line in said[::2])


def test_while_the_server_is_down_the_last_snapshot_is_served_with_its_age():
    said = []
    with private_home() as home:
        with embedded.open_server(home, linger=60) as url:
            migrate.upgrade(url)
            with connect(url) as opened:
                insert_model(opened, "p/m", version="0")
            registry = Registry(url, poll=0.2, say=said.append).start()
        with registry:
            assert embedded.stop(home)
            assert eventually(lambda: not registry.is_connected)
            before = registry.age
            assert eventually(lambda: registry.age > before + 1)
            assert registry.get("p", "m").version == "0"
            assert (registry.is_listening, len(said)) == (False, 1)
            assert not registry.wait_for(registry.generation + 1, timeout=0.1)
            with embedded.open_server(home) as again, connect(again) as opened:
                generation = change(opened, "1")
                assert registry.wait_for(generation, timeout=30)
                assert registry.get("p", "m").version == "1"
                assert eventually(lambda: registry.is_listening and registry.age < 1)
            assert [line == BACK for line in said] == [False, True]


def test_tables_that_are_gone_for_a_while_are_told_of_once(database, connection):
    said = []
    with Registry(database, poll=0.1, say=said.append) as registry:
        connection.execute("ALTER TABLE registry RENAME TO elsewhere")
        assert eventually(lambda: not registry.is_connected)
        before = registry.age
        assert eventually(lambda: registry.age > before + 1)
        assert registry.get("p", "m").version == "0"
        connection.execute("ALTER TABLE elsewhere RENAME TO registry")
        generation = change(connection, "1")
        assert eventually(lambda: registry.generation == generation)
        assert eventually(lambda: registry.is_connected)
    assert [line == BACK for line in said] == [False, True]


def test_a_registry_that_is_forgotten_ends_its_thread(database, connection):
    registry = Registry(database).start()
    thread = registry._keeper._thread
    del registry
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()


def run(script, *words):
    """Run a program of its own; what it printed."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *words],
        cwd=checkout.ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


ENDING = """
import sys
from reconciler.runtime.registry import Registry
registry = Registry(sys.argv[1]).start()
print(len(registry))
"""


def test_a_program_ends_though_it_never_closed(database, connection):
    assert run(ENDING, database) == "1\n"


FORKING = """
import json, os, sys, time
from reconciler.runtime.registry import Registry
from reconciler.store.session import connect

url, busy = sys.argv[1], sys.argv[2] == "busy"

def change(connection, version):
    connection.execute("UPDATE provider_model_configs SET version = %s", [version])
    return connection.execute("SELECT generation FROM registry").fetchone()[0]

def session(registry):
    end = time.monotonic() + 20
    while (feed := registry._keeper._turn.feed) is None and time.monotonic() < end:
        time.sleep(0.001)
    return feed._connection.info.backend_pid

registry = Registry(url, poll=0.05 if busy else 60).start()
mine, found = session(registry), []
with connect(url) as connection:
    for number in range(6 if busy else 2):
        if busy:
            change(connection, f"before {number}")
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            served = registry.get("p", "m") is not None
            os.write(writer, b"!")
            fresh = registry.wait_for(registry.generation, 20)
            end = time.monotonic() + 20
            while registry.get("p", "m").version != f"after {number}" and time.monotonic() < end:
                time.sleep(0.001)
            answer = [served, fresh, registry.get("p", "m").version == f"after {number}", session(registry)]
            os.write(writer, json.dumps(answer).encode())
            registry.close()
            os._exit(0)
        assert os.read(reader, 1) == b"!"
        generation = change(connection, f"after {number}")
        answer = json.loads(os.read(reader, 1000))
        status = os.waitpid(child, 0)[1]
        found.append([status, *answer[:3], answer[3] != mine, registry.wait_for(generation, 20)])
    print(json.dumps([found, session(registry) == mine]))
registry.close()
"""


@pytest.mark.parametrize("pace", ["idle", "busy"])
def test_a_child_has_a_thread_and_a_connection_of_its_own(database, connection, pace):
    found, kept = json.loads(run(FORKING, database, pace))
    assert all(one == [0, True, True, True, True, True] for one in found), found
    assert kept


def latencies(connection, started, version):
    """Seconds from a commit until each of the programs saw it."""
    generation = observe.read_generation(connection) + 1
    for reader in started:
        reader.await_generation(generation)
    assert change(connection, version) == generation
    committed = time.monotonic()
    return [float(reader.says()) - committed for reader in started]


def test_ten_programs_hear_of_a_change_at_once(database, connection):
    # None of them asks before the test is over.
    with readers(database, 10, poll=60) as started:
        seen = [one for version in "123" for one in latencies(connection, started, version)]
    assert statistics.median(seen) < 1.0
    assert max(seen) < 5.0


def test_ten_programs_behind_a_proxy_see_a_change_within_the_interval(database, connection):
    with pooling_proxy(database, sessions=3) as proxy, readers(proxy.url, 10, poll=1.0) as started:
        seen = [one for version in "12" for one in latencies(connection, started, version)]
    assert max(seen) < 1.0 + 3
