"""Files that two processes read: the same as one reads, whatever becomes of the second."""

import os
import signal
import threading

import pytest

from reconciler.core.problem import has_errors
from reconciler.core.state import Identity
from reconciler.source import load, twofold

HERE = Identity("here")


@pytest.fixture(autouse=True)
def two_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def squares(numbers):
    return [number * number for number in numbers]


@pytest.mark.parametrize("count", [0, 1, 2, 199, 200, 201, 1000])
def test_results_come_in_the_order_of_the_items(count):
    assert twofold.worked(squares, range(count)) == squares(range(count))


def test_both_processes_take_part():
    here, waited = os.getpid(), []

    def work(numbers):
        # Whoever is first leaves the other pieces to the other for a moment.
        if not waited:
            waited.append(threading.Event().wait(0.2))
        return [os.getpid() for _ in numbers]

    done = set(twofold.worked(work, range(400)))
    assert here in done
    assert len(done) == 2


@pytest.mark.parametrize("end", ["killed", "raises", "leaves"])
def test_what_the_second_process_does_not_end_the_first_does(end, capfd):
    here = os.getpid()

    def work(numbers):
        if os.getpid() != here and 300 in numbers:
            if end == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            elif end == "raises":
                raise MemoryError
            os._exit(0)
        if os.getpid() == here and 300 not in numbers:
            threading.Event().wait(0.002)
        return squares(numbers)

    assert twofold.worked(work, range(400)) == squares(range(400))
    assert capfd.readouterr() == ("", "")


def test_an_interruption_leaves_no_process_behind():
    here = os.getpid()

    def work(numbers):
        if os.getpid() == here:
            raise KeyboardInterrupt
        threading.Event().wait(60)
        return squares(numbers)

    with pytest.raises(KeyboardInterrupt):
        twofold.worked(work, range(400))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_no_second_process_beside_threads_or_without_a_processor(monkeypatch):
    assert twofold.is_possible()
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert not twofold.is_possible()
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert not twofold.is_possible()


GOOD = """version: 1
providers:
  p{number}:
    kind: openai
    models:
      gpt-{number}: {{parameters: {{temperature: 0.{number}}}, labels: {{team: rag}}}}
      other: {{prompt_template: null}}
      shared: {{parameters: tight}}
"""
ODD = ["", "version: 2\n", "version: 1\nproviders: [", "\xff", "version: 1\nproviders:\n  p: {kind: opnai}\n"]


@pytest.mark.parametrize("odd", [0, len(ODD)])
def test_a_directory_says_the_same_to_two_processes(tmp_path, monkeypatch, odd):
    texts = [GOOD.format(number=number) for number in range(40)]
    texts.append("version: 1\nparameters: {tight: {temperature: 0.1}}\n")
    for number, text in enumerate(texts + ODD[:odd]):
        (tmp_path / f"{number:02d}.yaml").write_bytes(text.encode("latin-1"))
    alone = load.load(tmp_path, identity=HERE)
    monkeypatch.setattr(load, "_PAYS", 0)
    forks = []
    monkeypatch.setattr(os, "fork", lambda fork=os.fork: forks.append(fork()) or forks[-1])
    together = load.load(tmp_path, identity=HERE)
    assert forks
    assert together == alone
    assert has_errors(together.problems) == bool(odd)
    assert len(together.entities) == 40 * 5 + 1 + bool(odd)


def test_a_file_that_cannot_be_read_is_told_of(tmp_path, monkeypatch):

    monkeypatch.setattr(load, "_PAYS", 0)
    (tmp_path / "big.yaml").write_bytes(b"#" * (16 * 1024 * 1024 + 1))
    assert [problem.code for problem in load.load(tmp_path, identity=HERE).problems] == ["too-large"]
