"""A genuine llama.cpp server with a tiny model, as a process of its own on 127.0.0.1: what nobody here wrote
answers our questions. It can be killed, and goes when the tests go, however they went.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from support.gguf import CONTEXT
from support.polling import eventually
from support.ports import free_port

_ADDRESS = "http://127.0.0.1:"
_OPENER = build_opener(ProxyHandler({}))
# Loading takes milliseconds, and importing llama.cpp a second; a loaded machine needs longer.
_PATIENCE = 60.0


@dataclass(frozen=True)
class LlamaServer:
    """A running server.

    Attributes:
        port: Where it listens.
        running: Its process.
    """

    port: int
    running: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{_ADDRESS}{self.port}"

    @property
    def base_url(self) -> str:
        """What a provider's `base_url` is."""
        return f"{self.url}/v1"

    @property
    def host(self) -> str:
        """Its host as an operator allows it."""
        return f"127.0.0.1:{self.port}"

    def ask(
        self, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the JSON that it answers to a question, without our code in between."""
        content = None if body is None else json.dumps(body).encode()
        request = Request(
            f"{self.url}{path}", content, {"Content-Type": "application/json", **(headers or {})}
        )
        try:
            with _OPENER.open(request, timeout=_PATIENCE) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def last_asked(self, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What it took for its parameters in the last answer that a model wrote; empty before the first.

        There must be one slot only.
        """
        _, (slot,) = self.ask("/slots", headers=headers)
        return slot.get("params", {})

    def kill(self) -> None:
        """End it as `kill -9` does, and wait until it has gone."""
        self.running.kill()
        self.running.wait(_PATIENCE)


@contextmanager
def llama_server(
    model: Path,
    *names: str,
    api_key: str = "",
    embeddings: bool = False,
    slots: int = 1,
) -> Iterator[LlamaServer]:
    """Start a server with a model, wait until it answers, and stop it.

    Args:
        model: The model's file.
        names: What the model is called there; the file's name where there is none.
        api_key: The key that it asks for, if any.
        embeddings: Whether it makes embeddings, too.
        slots: How many answers it writes at a time.
    """
    flags = [*(f"--name={name}" for name in names), *(["--embeddings"] if embeddings else [])]
    with _started(model, f"--slots={slots}", *flags, api_key=api_key) as running:
        yield LlamaServer(int(running.stdout.readline()), running)


@contextmanager
def loading_server(folder: Path) -> Iterator[LlamaServer]:
    """A server that loads its model for as long as the test wants: the file is a pipe that nobody fills."""
    pipe = folder / "slow-disk.gguf"
    os.mkfifo(pipe)
    port = free_port()
    with _started(pipe, f"--port={port}") as running:
        server = LlamaServer(port, running)
        assert eventually(lambda: _listens(server), within=_PATIENCE)
        yield server


@contextmanager
def _started(model: Path, *flags: str, api_key: str = "") -> Iterator[subprocess.Popen[str]]:
    folder = Path(__file__).resolve().parents[1]
    # Not in the command line, where every process of the machine could read it.
    env = {**os.environ, "PYTHONPATH": str(folder), "LLAMA_TEST_KEY": api_key}
    with subprocess.Popen(
        [sys.executable, "-m", "support.llama", *flags, str(model)],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def _listens(server: LlamaServer) -> bool:
    try:
        server.ask("/health")
    except URLError:
        return False
    return True


# The process itself


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve a model, print the port once it is loaded, and go when standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--name", action="append", default=[])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--embeddings", action="store_true")
    chosen = parser.parse_args(arguments)
    end = threading.Thread(target=_go_with_the_tests)
    end.start()
    # While it loads, no other thread of Python runs, so the clock has to end it.
    faulthandler.dump_traceback_later(_PATIENCE, exit=True)
    server = _serving(chosen, os.environ["LLAMA_TEST_KEY"])
    faulthandler.cancel_dump_traceback_later()
    print(server.listening_address.rpartition(":")[2], flush=True)
    end.join()


def _go_with_the_tests() -> None:
    sys.stdin.read()
    # The server's own threads would outlive an orderly end.
    os._exit(0)


def _serving(chosen: argparse.Namespace, api_key: str) -> Any:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(chosen.model)
    parameters.model_alias = set(chosen.name)
    parameters.api_keys = [api_key] if api_key else []
    parameters.port = chosen.port
    parameters.n_parallel = chosen.slots
    parameters.n_ctx = CONTEXT * chosen.slots
    parameters.cpuparams.n_threads = 1
    # A client that keeps its connections open would starve the others.
    parameters.n_threads_http = 4
    parameters.warmup = False
    parameters.endpoint_slots = True
    if chosen.embeddings:
        parameters.embedding = True
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return xllamacpp.Server(parameters)


if __name__ == "__main__":
    main()
