"""A real HTTP server on 127.0.0.1 that speaks the protocols of OpenAI (and servers like it), Ollama,
Anthropic and watsonx, and misbehaves where it is told to.

    with FakeProviders() as fake:
        fake.openai            # the base URL of an OpenAI-compatible server
        fake.requests          # everything that arrived, headers and bodies

How it behaves is chosen by the first of these that names one of `BEHAVIOURS`: a path segment before the
protocol (`http://127.0.0.1:PORT/~hang/openai/v1`), the model's id (`slow`, or `slow-7`), the key
(`key("hang")`). A key is good if `key()` made it; paths below `/~open/` want none.

As a program it prints its URLs as a line of JSON and serves until its standard input ends:
`PYTHONPATH=tests python -m support.providers`; with `--certificates FOLDER` over TLS, with an authority of
its own.
"""

import argparse
import base64
import gzip
import json
import socket
import ssl
import struct
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

# Long and odd enough to be looked for in every output.
GOOD = "sk-fake-canary-5f1c9a7e"
MODELS = (
    *("gpt-4o-2024-08-06", "gpt-4", "claude-sonnet-4"),
    *("granite-13b", "meta/llama-3-8b", "llama3:latest"),
)
BEHAVIOURS = (
    *("open", "bad", "gated", "gone", "wrong-region", "rate-limited", "no-quota", "http-400", "http-500"),
    *("http-529", "slow", "hang", "drip", "reset", "malformed", "html", "error-in-200", "redirect", "huge"),
    *("bomb", "lying", "stale-token", "dead-token", "no-list", "cookie", "echo"),
)
GARBAGE = b'{"object": "list", "data": [{"id": "gp'
TOO_LARGE = 3 * 1024 * 1024


def key(behaviour: str = "") -> str:
    """A key that the server takes, or one that makes it behave in a certain way.

    >>> key("hang").endswith("-hang")
    True
    """
    return f"{GOOD}-{behaviour}" if behaviour else GOOD


@dataclass(frozen=True)
class Recorded:
    """One request that arrived."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """Everything of it, to be searched."""
        return f"{self.method} {self.path} {self.headers} {self.body!r}"


class FakeProviders:
    """The server; serves from `with` on, each request in a thread of its own.

    Args:
        models: The ids that exist, besides those that name a behaviour.
        slowness: Seconds that a slow answer takes.
        certificate: A PEM file with the certificate and one with its key, for TLS.
        redirect_to: Where redirects lead.
        port: Where to listen; 0 for any free port.
    """

    def __init__(self, models=MODELS, *, slowness=0.1, certificate=None, redirect_to="", port=0):
        self.models = tuple(models)
        self.slowness = slowness
        self.redirect_to = redirect_to
        self.requests: list[Recorded] = []
        self.arrived = threading.Condition()
        self.closing = threading.Event()
        self.minted = 0
        self._server = _Server(("127.0.0.1", port), _Exchange)
        self._server.fake = self
        self._scheme = "http"
        if certificate is not None:
            self._scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, certificate))
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`, as an operator allows it."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The server's root."""
        return f"{self._scheme}://{self.host}"

    def base_url(self, protocol: str, behaviour: str = "") -> str:
        """The base URL of one of its protocols, as a provider of that kind would have it."""
        path = "/openai/v1" if protocol == "openai" else f"/{protocol}"
        return f"{self.url}{f'/~{behaviour}' if behaviour else ''}{path}"

    @property
    def openai(self) -> str:
        """The base URL of an OpenAI-compatible server."""
        return self.base_url("openai")

    @property
    def anthropic(self) -> str:
        """Anthropic's base URL."""
        return self.base_url("anthropic")

    @property
    def watsonx(self) -> str:
        """The base URL of watsonx."""
        return self.base_url("watsonx")

    @property
    def iam(self) -> str:
        """Where watsonx keys are exchanged."""
        return f"{self.url}/iam/identity/token"

    def wait_for(self, count: int, timeout: float = 10) -> bool:
        """Wait until so many requests have arrived."""
        with self.arrived:
            return self.arrived.wait_for(lambda: len(self.requests) >= count, timeout)

    def has_seen(self, text: str) -> bool:
        """Whether a text arrived anywhere."""
        return any(text in request.text for request in self.requests)

    def paths(self) -> list[str]:
        """The paths that were asked for, without their queries."""
        return [request.path.partition("?")[0] for request in self.requests]

    def converse(self, exchange, headers, body) -> None:
        """Answer one request."""
        Conversation(exchange, headers, body).run()

    def record(self, request: Recorded) -> None:
        """Keep a request."""
        with self.arrived:
            self.requests.append(request)
            self.arrived.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    fake: FakeProviders

    def handle_error(self, request, client_address):
        """Stay quiet: clients that hang up, or distrust a certificate, are what the tests are about."""


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_):
        """Stay quiet."""

    def do_GET(self):
        self._serve()

    def do_POST(self):
        self._serve()

    def do_HEAD(self):
        self._serve()

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.fake.record(Recorded(self.command, self.path, headers, body))
        self.server.fake.converse(self, headers, body)

    def reply(self, status, body, headers=()):
        """Send an answer; a dict or list as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", "Content-Length": str(len(content)), **dict(headers)}
        self.send_response(status)
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class Conversation:
    """One request, with what it asks for picked apart."""

    def __init__(self, exchange, headers, body):
        self.exchange = exchange
        self.fake = exchange.server.fake
        self.headers = headers
        self.body = body
        parts = urlsplit(exchange.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path
        self.forced = ""
        if path.startswith("/~"):
            self.forced, _, rest = path[2:].partition("/")
            path = f"/{rest}"
        self.dialect, _, self.path = path.lstrip("/").partition("/")
        self.form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        self.key = self._key()
        self.model = self._model()
        self.behaviour = self._behaviour()

    def _key(self):
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer.startswith("iam-token."):
            return base64.urlsafe_b64decode(bearer.split(".")[1]).decode()
        return bearer or self.headers.get("x-api-key", "") or self.form.get("apikey", "")

    def _model(self):
        return unquote(self.path.partition("models/")[2])

    def _behaviour(self):
        from_key = self.key.removeprefix(f"{GOOD}-") if self.key.startswith(f"{GOOD}-") else ""
        for wish in (self.forced, self.model, from_key):
            for behaviour in sorted(BEHAVIOURS, key=len, reverse=True):
                if wish == behaviour or wish.startswith(f"{behaviour}-"):
                    return behaviour
        return ""

    def run(self):
        """Answer, or do whatever else is asked for."""
        trick = getattr(self, f"_be_{self.behaviour.replace('-', '_')}", None)
        if trick is None or trick() is not True:
            return
        self.answer()

    def answer(self):
        """Answer well."""
        speak = self.dialects().get(self.dialect)
        if speak is None:
            self.reply(404, {"detail": "Not Found"})
        else:
            speak()

    def dialects(self):
        """What is spoken, by the first segment of the path."""
        return {
            "openai": self._openai,
            "anthropic": self._anthropic,
            "watsonx": self._watsonx,
            "iam": self._iam,
            "ollama": self._ollama,
        }

    def reply(self, status, body, headers=()):
        self.exchange.reply(status, body, headers)

    def fail(self, status, code, message, headers=()):
        """An error in the dialect that is spoken."""
        if self.dialect == "anthropic":
            body = {"type": "error", "error": {"type": code, "message": message}, "request_id": "req_1"}
        elif self.dialect == "watsonx":
            body = {"errors": [{"code": code, "message": message}], "trace": "t", "status_code": status}
        elif self.dialect == "iam":
            body = {"errorCode": code, "errorMessage": message, "context": {"requestId": "r"}}
        elif self.dialect == "ollama":
            body = {"error": message}
        else:
            body = {"error": {"message": message, "type": code, "param": None, "code": code}}
        self.reply(status, body, headers)

    @property
    def authorized(self):
        return self.behaviour == "open" or (self.key.startswith(GOOD) and self.behaviour != "bad")

    def exists(self, model):
        return model in self.fake.models or bool(self.behaviour)

    # The protocols

    def _openai(self):
        if not self.authorized:
            shown = f"{self.key[:4]}****{self.key[-4:]}" if self.key else "none"
            self.fail(401, "invalid_api_key", f"Incorrect API key provided: {shown}.")
        elif self.path == "v1/models":
            listed = [{"id": model, "object": "model", "owned_by": "fake"} for model in self.fake.models]
            self.reply(200, {"object": "list", "data": listed})
        elif not self.path.startswith("v1/models/"):
            self.fail(404, "", f"Invalid URL (GET /{self.path})")
        elif self.exists(self.model):
            named = "some-other-model" if self.behaviour == "lying" else self._dated(self.model)
            self.reply(200, {"id": named, "object": "model", "created": 1, "owned_by": "fake"})
        else:
            message = f"The model '{self.model}' does not exist or you do not have access to it."
            self.fail(404, "model_not_found", message)

    def _dated(self, model):
        return next((known for known in self.fake.models if known.startswith(f"{model}-20")), model)

    def _anthropic(self):
        if "anthropic-version" not in self.headers:
            self.fail(400, "invalid_request_error", "anthropic-version: header is required")
        elif not self.authorized:
            self.fail(401, "authentication_error", "invalid x-api-key")
        elif self.path == "v1/models":
            self.reply(200, {"data": [{"id": "claude-sonnet-4", "type": "model"}], "has_more": True})
        elif not self.path.startswith("v1/models/"):
            self.fail(404, "not_found_error", "Not Found")
        elif self.exists(self.model):
            named = "some-other-model" if self.behaviour == "lying" else self.model
            self.reply(200, {"type": "model", "id": named, "display_name": named})
        else:
            self.fail(404, "not_found_error", f"model: {self.model}")

    def _iam(self):
        wanted = "urn:ibm:params:oauth:grant-type:apikey"
        if self.exchange.command != "POST" or self.form.get("grant_type") != wanted:
            self.fail(400, "BXNIM0109E", "Property missing or empty: grant_type")
        elif not self.authorized:
            self.fail(400, "BXNIM0415E", "Provided API key could not be found.")
        else:
            self.fake.minted += 1
            named = base64.urlsafe_b64encode(self.key.encode()).decode()
            token = f"iam-token.{named}.{self.fake.minted}"
            self.reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def _watsonx(self):
        token = self.headers.get("authorization", "")
        stale = self.behaviour == "dead-token" or (self.behaviour == "stale-token" and token.endswith(".1"))
        if token and (stale or not self.authorized):
            self.fail(
                401, "authentication_token_not_valid", "Failed to authenticate the request: the token expired"
            )
        elif self.path != "ml/v1/foundation_model_specs":
            self.fail(404, "not_found", "no such path")
        elif "version" not in self.query:
            self.fail(400, "invalid_request_entity", "version is missing")
        else:
            # The real list is public too: nothing here asks for a token.
            wanted = self.query.get("filters", "").removeprefix("modelid_")
            found = [spec for spec in self._specs() if not wanted or spec["model_id"] == wanted]
            self.reply(200, {"total_count": len(found), "limit": 200, "resources": found})

    def _specs(self):
        lives = [{"id": "available", "start_date": "2023-09-01"}]
        for model in self.fake.models:
            yield {"model_id": model, "label": model, "lifecycle": lives}
        gone = [*lives, {"id": "withdrawn", "start_date": "2024-01-01"}]
        yield {"model_id": "withdrawn-model", "lifecycle": gone}
        yield {
            "model_id": "leaving-model",
            "lifecycle": [*lives, {"id": "withdrawn", "start_date": "2999-01-01"}],
        }

    def _ollama(self):
        if self.path == "api/version":
            self.reply(200, {"version": "0.12.0"})
        elif self.path == "api/tags":
            self.reply(200, {"models": [{"name": model, "model": model} for model in self.fake.models]})
        else:
            self.reply(404, b"404 page not found", {"Content-Type": "text/plain"})

    # The behaviours; those that return True go on to a good answer

    def _be_(self):
        return True

    _be_open = _be_bad = _be_lying = _be_stale_token = _be_dead_token = _be_

    def _be_gated(self):
        self.fail(403, "permission_error", "This key may not use this model.")

    def _be_gone(self):
        self.fail(410, "gone", "The model has reached its end of life.")

    def _be_wrong_region(self):
        code = "unsupported_country_region_territory"
        self.fail(403, code, "Country, region, or territory not supported")

    def _be_rate_limited(self):
        self.fail(429, "rate_limit_exceeded", "Rate limit reached, slow down", {"Retry-After": "1"})

    def _be_no_quota(self):
        self.fail(429, "insufficient_quota", "You exceeded your current quota, check your plan.")

    def _be_http_400(self):
        self.fail(400, "invalid_request_error", "Unsupported parameter: 'max_tokens'")

    def _be_http_500(self):
        self.fail(500, "api_error", "Internal server error")

    def _be_http_529(self):
        self.fail(529, "overloaded_error", "Overloaded")

    def _be_slow(self):
        self.fake.closing.wait(self.fake.slowness)
        return True

    def _be_hang(self):
        self.fake.closing.wait()
        self.exchange.close_connection = True

    def _be_drip(self):
        """A body that never ends, a byte at a time."""
        self.exchange.send_response(200)
        self.exchange.send_header("Content-Length", "1000000")
        self.exchange.end_headers()
        while not self.fake.closing.wait(0.05):
            self.exchange.wfile.write(b" ")
        self.exchange.close_connection = True

    def _be_reset(self):
        linger = struct.pack("ii", 1, 0)
        self.exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.exchange.connection.close()
        self.exchange.close_connection = True

    def _be_malformed(self):
        self.reply(200, GARBAGE)

    def _be_html(self):
        self.reply(200, b"<!doctype html><title>Welcome</title>", {"Content-Type": "text/html"})

    def _be_error_in_200(self):
        self.reply(200, {"error": {"code": 502, "message": "Provider returned error"}})

    def _be_redirect(self):
        self.reply(307, b"", {"Location": self.fake.redirect_to or f"{self.fake.url}/elsewhere"})

    def _be_huge(self):
        self.reply(200, b'{"data": ["' + b"x" * TOO_LARGE + b'"]}')

    def _be_bomb(self):
        self.reply(200, gzip.compress(b" " * (4 * TOO_LARGE)), {"Content-Encoding": "gzip"})

    def _be_no_list(self):
        self.reply(404, {"detail": "Not Found"})

    def _be_cookie(self):
        self.exchange.send_response(200)
        self.exchange.send_header("Set-Cookie", "session=stolen; Path=/")
        content = json.dumps({"id": self.model, "object": "list", "data": []}).encode()
        self.exchange.send_header("Content-Length", str(len(content)))
        self.exchange.end_headers()
        self.exchange.wfile.write(content)

    def _be_echo(self):
        """Providers that quote the key back, in words and as a code."""
        self.fail(401, self.key, f"The key '{self.key}' is unknown; you sent Bearer {self.key}.\x1b[31m")


def main() -> None:
    """Serve until standard input ends."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--slowness", type=float, default=0.1)
    options.add_argument("--certificates", type=Path, help="a folder to put a private authority into")
    options.add_argument("--model", action="append", dest="models", help="a model that exists; repeatable")
    given = options.parse_args()
    certificate = None
    if given.certificates is not None:
        from support.certificates import write_certificates

        certificate = write_certificates(given.certificates)[1:]
    models = tuple(given.models or MODELS)
    with FakeProviders(models, slowness=given.slowness, certificate=certificate, port=given.port) as fake:
        urls = {"url": fake.url, "host": fake.host, "iam": fake.iam, "key": key()}
        urls |= {name: fake.base_url(name) for name in ("openai", "ollama", "anthropic", "watsonx")}
        print(json.dumps(urls), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
