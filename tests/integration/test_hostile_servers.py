"""Servers that mean harm, over real sockets: whatever they say, there is a verdict or a bounded answer within
the timeout, and memory stays small.
"""

import asyncio
import gzip
import threading
import time
import tracemalloc
import zlib

import pytest
from support.scripted import OK, Scripted, repeats, resets, says

from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import LARGEST_BODY, Request, SecretHeader
from reconciler.protocols.transport import open_transport

KEY = SecretHeader("Authorization", "Bearer ", Secret("sk-canary-hostile", source="X"))
TIMEOUT = 0.4
SLOW = "timeout", f"{TIMEOUT} s"
GONE = "unreachable", "could not be reached"
BROKEN = "bad_response", "proper HTTP"
PACKED = "bad_response", "cannot be decompressed"
BODY = b"Content-Length: 2\r\n\r\n{}"


def asked(url, *, times=1, timeout=5.0):
    async def ask():
        async with open_transport() as transport:
            request = Request("GET", url, timeout, secrets=(KEY,), addresses="loopback")
            return [await transport.send(request) for _ in range(times)]

    return asyncio.run(ask())


def drips(start, piece):
    def script(connection):
        connection.sendall(start)
        while not drips.over.wait(0.05):
            connection.sendall(piece)

    return script


drips.over = threading.Event()


def bomb(megabytes):
    """So many megabytes of nothing, packed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    block = bytes(1024 * 1024)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(drips(b"", b"H"), SLOW, id="a status line that never ends"),
        pytest.param(drips(OK, b"X-A: b\r\n"), SLOW, id="headers that drip"),
        pytest.param(drips(OK + b"\r\n", b" "), SLOW, id="a body that drips"),
        pytest.param(
            drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
            SLOW,
            id="chunks that drip",
        ),
        pytest.param(drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), SLOW, id="always go on"),
        pytest.param(
            repeats(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
            SLOW,
            id="hints without end",
        ),
        pytest.param(
            repeats(OK, b"X-Filling: " + b"x" * 1000 + b"\r\n"),
            BROKEN,
            id="headers without end",
        ),
        pytest.param(repeats(OK + b"X: ", b"x" * 1000), BROKEN, id="one endless header"),
        pytest.param(says(b""), GONE, id="nothing"),
        pytest.param(says(b"HTTP/1.1 2"), GONE, id="half a status line"),
        pytest.param(resets(), GONE, id="a reset before the answer"),
        pytest.param(resets(OK, b"Content-"), GONE, id="a reset in the headers"),
        pytest.param(
            resets(OK, b"Content-Length: 100\r\n\r\n{"),
            GONE,
            id="a reset in the body",
        ),
        pytest.param(says(OK, b"Content-Length: 100\r\n\r\n{"), BROKEN, id="a body cut short"),
        pytest.param(
            says(OK, b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            BROKEN,
            id="a chunk of no size",
        ),
        pytest.param(
            says(OK, b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
            BROKEN,
            id="two lengths",
        ),
        pytest.param(says(b"\x15\x03\x01\x00\x02\x02\x50" * 9), BROKEN, id="TLS where none was asked"),
        pytest.param(says(b"HTTP/1.1 101 Now\r\nUpgrade: x\r\n\r\n"), BROKEN, id="another protocol"),
        pytest.param(says(b"HTTP/1.1 99999 OK\r\n", BODY), BROKEN, id="no such status"),
        pytest.param(says(OK, b"A\x00B: c\r\n", BODY), BROKEN, id="a NUL in a header"),
        pytest.param(
            says(OK, b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
            PACKED,
            id="packed badly",
        ),
        pytest.param(
            says(OK, b"Content-Encoding: " + b"gzip, " * 5000 + b"gzip\r\n", BODY),
            PACKED,
            id="packed five thousand times",
        ),
    ],
)
def test_a_hostile_server_gets_a_verdict_within_the_timeout(script, expected):
    outcome, words = expected
    drips.over.clear()
    with Scripted(script) as server:
        started = time.monotonic()
        (verdict,) = asked(server.url, timeout=TIMEOUT if outcome == "timeout" else 5.0)
        took = time.monotonic() - started
        drips.over.set()
    assert (verdict.outcome, words in verdict.detail, server.host in verdict.detail) == (outcome, True, True)
    assert took < (TIMEOUT + 2 if outcome == "timeout" else 4)
    assert "canary" not in repr(verdict)


@pytest.mark.parametrize(
    ("script", "status", "body"),
    [
        pytest.param(
            says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n", OK, BODY),
            200,
            b"{}",
            id="words before the answer",
        ),
        pytest.param(says(OK, b"\r\n{}"), 200, b"{}", id="a body as long as the connection"),
        pytest.param(says(OK, BODY, b"HTTP/1.1 200 OK\r\n\r\n"), 200, b"{}", id="an answer to no question"),
        pytest.param(
            says(OK, b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"{}")), 200, b"{}", id="packed unasked"
        ),
        pytest.param(says(OK, b"Content-Encoding: nonsense\r\n", BODY), 200, b"{}", id="packed by nobody"),
    ],
)
def test_what_is_only_odd_is_an_answer(script, status, body):
    with Scripted(script) as server:
        (answer,) = asked(server.url)
    assert (answer.status, answer.body, answer.complete) == (status, body, True)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(repeats(OK + b"\r\n", b"x" * 65536), id="a body without end"),
        pytest.param(
            repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
            id="chunks without end",
        ),
        pytest.param(says(OK, b"Content-Encoding: gzip\r\n\r\n", bomb(300)), id="a bomb"),
        pytest.param(
            says(OK, b"Content-Encoding: gzip, gzip\r\n\r\n", gzip.compress(bomb(300))), id="a bomb in a bomb"
        ),
        pytest.param(
            says(OK, b"Content-Encoding: deflate\r\n\r\n", zlib.compress(bytes(50 * 1024 * 1024))),
            id="a bomb of another make",
        ),
    ],
)
def test_no_answer_takes_more_memory_than_a_few_times_the_limit(script):
    with Scripted(script) as server:
        tracemalloc.start()
        (answer,) = asked(server.url)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (len(answer.body), answer.complete) == (LARGEST_BODY, False)
    assert most < 12 * LARGEST_BODY


def test_a_connection_with_something_left_on_it_is_not_used_again():
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
    with Scripted(says(OK, BODY, smuggled)) as server:
        answers = asked(server.url, times=3)
        assert [answer.body for answer in answers] == [b"{}"] * 3
        assert len(server.heads) == 3
