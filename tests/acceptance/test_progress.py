"""What a person sees of a verification while it runs, and how it is stopped: a real terminal, real signals,
the installed command, and servers that are slow or hang.
"""

import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from contextlib import contextmanager
from fcntl import ioctl

import pytest
from support.commands import clean_environment, command_line
from support.directories import Story, provider
from support.polling import eventually
from support.providers import FakeProviders, key

from reconciler.cli.progress import Progress, Tally
from reconciler.core.address import model_address
from reconciler.core.outcome import Result

ERASED = "\x1b[2K"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@pytest.fixture
def fake():
    with FakeProviders(models=["good"], slowness=1.0) as server:
        yield server


@pytest.fixture
def story(tmp_path, database, fake):
    """A model that answers at once, one that is not there, and two that take their time."""
    story = Story(tmp_path, database, {"RECONCILER_ALLOWED_HOSTS": fake.host, "OPENAI_API_KEY": key()})
    return registered(story, fake, ("good", "gpt-9", "slow-1", "slow-2"))


def registered(story, fake, models, **fields):
    story.write(here=provider("here", *models, kind="openai", base_url=fake.openai, **fields))
    story.apply()
    return story


class Screen:
    """What a terminal showed so far, read by a thread so that nobody is held up."""

    def __init__(self, terminal):
        self._terminal = terminal
        self._shown = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        while part := self._next():
            self._shown += part

    def _next(self):
        try:
            return os.read(self._terminal, 4096)
        except OSError:  # nobody writes to it any more
            return b""

    @property
    def text(self):
        return self._shown.decode()

    def whole(self):
        """All that was shown, once the program has gone."""
        self._reader.join(20)
        return self.text


@contextmanager
def verifying(story, *, columns=80, stdout=subprocess.PIPE, **env):
    """`verify --all --output json` with a terminal for its story, and a pipe for its answer."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        command_line("verify", "--all", "--output", "json"),
        env=clean_environment(
            {"TERM": "xterm-256color", "RECONCILER_DATABASE_URL": story.database, **story.env, **env}
        ),
        cwd=story.folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=theirs,
    ) as command:
        os.close(theirs)
        try:
            yield command, Screen(ours)
        finally:
            command.kill()
            command.wait()
    os.close(ours)


def watched(story, **more):
    """The answer, and what the screen showed."""
    with verifying(story, **more) as (command, screen):
        answer = json.loads(command.communicate(timeout=60)[0])
        return answer, screen.whole()


def lines(shown):
    """The lines that were drawn one over the other."""
    return [text.strip() for text in CONTROL.sub("\n", shown).splitlines() if text.strip()]


def test_a_line_on_the_terminal_counts_and_is_wiped_at_the_end(story):
    answer, shown = watched(story)
    assert len(answer["verification"]) == 4
    drawn = [line for line in lines(COLOUR.sub("", shown)) if re.match(r"\d/4 0:\d\d", line)]
    assert any(re.match(r"2/4 0:00 1 ok 1 bad +\S+$", line) for line in drawn), drawn
    assert max(len(line) for line in drawn) < 80
    assert COLOUR.search(shown)
    # Nothing is left of it: the last thing drawn is an empty line, and the cursor can be seen again.
    assert CONTROL.sub("", shown[shown.rindex(ERASED) :]) == ""
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1
    assert shown.rindex("\x1b[?25l") < shown.rindex("\x1b[?25h")


def test_a_narrow_terminal_shows_the_counts_without_a_bar(story):
    _, shown = watched(story, columns=24)
    drawn = [line for line in lines(COLOUR.sub("", shown)) if "/4" in line]
    assert "2/4 0:00 1 ok 1 bad" in drawn
    assert max(map(len, drawn)) < 24


def test_forty_columns_are_enough_for_everything(story):
    _, shown = watched(story, columns=40)
    drawn = lines(COLOUR.sub("", shown))
    assert any(re.match(r"2/4 0:00 1 ok 1 bad \S{10,}$", line) for line in drawn), drawn
    assert max(map(len, drawn)) < 40


def test_without_colours_the_line_has_none(story):
    _, shown = watched(story, NO_COLOR="1")
    assert "2/4 0:00 1 ok 1 bad" in shown
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_draw_shows_nothing(story, term):
    answer, shown = watched(story, TERM=term)
    assert (len(answer["verification"]), shown) == (4, "")


def test_without_a_terminal_a_short_run_says_nothing(story):
    answer = story.run("verify", "--all", "--output", "json")
    assert (len(answer.document["verification"]), answer.stderr) == (4, "")


def test_the_library_that_draws_is_loaded_only_on_a_terminal():
    code = "import sys, reconciler.cli.progress as p; p.Progress()(r) ; assert 'rich.live' not in sys.modules"
    result = "from reconciler.core.outcome import Result; r = Result('x', 'ok', 'model'); "
    subprocess.run([sys.executable, "-c", result + code], check=True, stderr=subprocess.PIPE)


def test_a_log_shows_life_while_a_run_takes_long(capsys):
    progress = Progress(every=0.02)
    progress.expect(3)
    progress(Result(model_address("a", "b"), "ok", "model"))
    said = []
    assert eventually(lambda: said.append(capsys.readouterr().err) or len("".join(said).splitlines()) > 2)
    progress.close()
    capsys.readouterr()
    assert "".join(said).splitlines()[1] == "Verifying: 1 of 3 after 0 s, 1 ok"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [("ok", (1, 0, 0)), ("auth_failed", (0, 1, 0)), ("timeout", (0, 0, 1)), ("skipped", (0, 0, 1))],
)
def test_results_are_counted_as_good_bad_and_other(outcome, counts):
    tally = Tally(total=9).counted(Result(model_address("a", "b"), outcome, "model"))
    assert tally[:3] == counts
    assert (tally.done, tally.total) == (1, 9)


@pytest.mark.parametrize(
    ("number", "ignores_ctrl_c"),
    [
        pytest.param(signal.SIGINT, False, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, False, id="SIGTERM"),
        pytest.param(
            signal.SIGTERM, True, id="SIGTERM where Ctrl-C is ignored, as in the background of a shell"
        ),
    ],
)
def test_a_signal_stops_a_verification_within_a_second_and_what_is_known_is_kept(
    story, fake, number, ignores_ctrl_c
):
    registered(story, fake, ("good", *(f"hang-{n}" for n in range(20))), verification="{timeout: 60s}")
    asked = len(fake.requests)
    taken = signal.signal(signal.SIGINT, signal.SIG_IGN) if ignores_ctrl_c else None
    try:
        with verifying(story) as (command, screen):
            assert fake.wait_for(asked + 8)
            assert eventually(lambda: "1/21" in COLOUR.sub("", screen.text))
            began = time.monotonic()
            command.send_signal(number)
            command.wait(20)
            seconds = time.monotonic() - began
            answer = json.loads(command.communicate()[0])
            shown = screen.whole()
    finally:
        if taken is not None:
            signal.signal(signal.SIGINT, taken)
    assert (command.returncode, answer["error"]["code"]) == (130, "interrupted")
    assert [one["outcome"] for one in answer["verification"]].count("ok") == 1
    assert seconds < 1
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    found = story.rows("SELECT outcome, count(*) FROM verification_results GROUP BY 1")
    assert found == [("ok", 1)]
