"""Keys that are really in the environment and really sent to their provider, looked for in all that the
command prints, stores, logs and writes; and keys that somebody pasted into a file.
"""

import base64
import subprocess
from functools import partial
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from psycopg import sql
from support import session
from support.certificates import write_certificates
from support.commands import FINGERPRINT_KEY, clean_environment, command_line, run_command
from support.directories import FORMS, Story, provider
from support.providers import FakeProviders, key

# None of them looks like a key of a vendor: only who knows them can take them out of a text.
CANARIES = {
    "ECHO_API_KEY": "Quiet.Harbour/42+blue=",
    "ODD_API_KEY": 'mellow"wind\\mill',
    "BLUE_API_KEY": "autumn rain 1907",
    "CLAUDE_API_KEY": "tide-9",
    "ACME_API_TOKEN": "lantern:oak:seven",
}
FROM_FILE = "paper boat 55"
PASSWORD = "under-the-bridge-1"
GOOD = {"GOOD_API_KEY": key(), "TOKEN_API_KEY": key("stale-token")}

KINDS = """
kinds:
  acme:
    protocol: openai
    credentials: {api_key: {env: [ACME_API_TOKEN], header: X-Acme, prefix: "Token "}}
    probes: {credential: {path: /models}, model: {path: "/models/{model}"}}
  blue: &blue
    protocol: watsonx
    credentials: {api_key: {env: [BLUE_API_KEY]}}
    probes:
      credential: {method: POST, path: "IAM"}
      model: &specs
        path: /ml/v1/foundation_model_specs
        query: {version: "2024-05-31"}
        list_at: resources
        id_field: model_id
  gruff:
    <<: *blue
    probes: {credential: {method: POST, path: "ECHOING"}, model: *specs}
"""
MODEL = "granite-13b"

# An exception that holds what was about to be sent.
BREAKING = """
import sys
from reconciler.cli import main
from reconciler.protocols import run
async def ask(self, request, *, shared=False):
    secrets = list(self._resolved.values())
    raise RuntimeError(f"{request} {request!r} {secrets} {secrets[0]['api_key']:>40}")
run.Run.ask = ask
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.fixture
def story(tmp_path, database):
    """A story whose database has a password in its address and tells its log every statement."""
    address = database.replace("reconciler@", f"reconciler:{PASSWORD}@", 1)
    with psycopg.connect(address, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET log_statement = 'all'").format(name))
    return Story(tmp_path, address)


@pytest.fixture
def fake(tmp_path):
    authority, *certificate = write_certificates(tmp_path / "certificates")
    with FakeProviders(certificate=certificate) as server:
        server.authority = authority
        yield server


def providers_of_all_sorts(story, fake):
    """Providers that take their key, refuse it, quote it back, or may not have it."""
    (story.folder / "secrets").mkdir()
    (story.folder / "secrets" / "key").write_text(f"{FROM_FILE}\n")
    story.write(
        kinds=KINDS.replace("IAM", fake.iam).replace("ECHOING", f"{fake.url}/~echo/iam/identity/token")
    )
    for name, kind, base_url, reference in (
        ("good", "openai-compatible", fake.openai, "env:GOOD_API_KEY"),
        ("odd", "openai-compatible", fake.openai, "env:ODD_API_KEY"),
        ("echo", "openai-compatible", fake.base_url("openai", "echo"), "env:ECHO_API_KEY"),
        ("acme", "acme", fake.base_url("openai", "echo"), "env:ACME_API_TOKEN"),
        ("claude", "anthropic", fake.base_url("anthropic", "echo"), "env:CLAUDE_API_KEY"),
        ("blue", "blue", fake.watsonx, "env:BLUE_API_KEY"),
        ("token", "blue", fake.watsonx, "env:TOKEN_API_KEY"),
        ("gruff", "gruff", fake.watsonx, "env:BLUE_API_KEY"),
        ("paper", "anthropic", fake.base_url("anthropic", "echo"), f'"file:{story.folder}/secrets/key"'),
        ("elsewhere", "openai", "https://127.0.0.1:9/v1", "env:GOOD_API_KEY"),
        ("ours", "openai-compatible", fake.openai, "env:RECONCILER_DATABASE_URL"),
    ):
        credentials = f"{{api_key: {reference}}}"
        story.write(**{name: provider(name, MODEL, kind=kind, base_url=base_url, credentials=credentials)})
    return story.with_env(
        RECONCILER_ALLOWED_HOSTS=fake.host,
        RECONCILER_ALLOWED_FILES=str(story.folder / "secrets"),
        RECONCILER_CA_FILE=str(fake.authority),
        **CANARIES,
        **GOOD,
    )


FOUND = {
    "good": "ok",
    "odd": "auth_failed",
    "echo": "auth_failed",
    "acme": "auth_failed",
    "claude": "auth_failed",
    "blue": "auth_failed",
    "token": "ok",
    "gruff": "auth_failed",
    "paper": "auth_failed",
    "elsewhere": "refused_host",
    "ours": "refused_reference",
}


def test_no_key_is_printed_stored_logged_or_written(story, fake):
    story = providers_of_all_sorts(story, fake)
    answers = list(everything_said(story))
    results = story.ask("verify", "--all", status=5)["verification"]
    assert {one["address"].split(":")[1].split("/")[0]: one["outcome"] for one in results} == FOUND
    arrived(fake)
    places = {
        f"{words} {stream}": text for words, *said in answers for stream, text in zip("oe", said, strict=True)
    }
    places |= {f"{table} {number}": text for number, (table, text) in enumerate(story.everything())}
    exported = (story.folder / "exported.d").iterdir()
    places |= {str(path): path.read_text() for path in (*exported, *story.directory.iterdir())}
    places["log"] = logged()
    for secret in (*CANARIES.values(), *GOOD.values(), FROM_FILE, PASSWORD, FINGERPRINT_KEY):
        for form in spellings(secret):
            assert [place for place, text in places.items() if form in text] == []
    assert any("[redacted]" in text for text in places.values())


def everything_said(story):
    """What every verb says in every form, also where it fails and where a developer asks for more."""
    debugging = story.with_env(RECONCILER_DEBUG="1")
    broken = story.with_env(RECONCILER_CA_FILE=str(story.directory / "good.yaml"))
    nowhere = story.with_env(RECONCILER_DATABASE_URL=story.database.replace("/t_", "/no_"))
    runs = [
        *((debugging if form == "json" else story, ["plan"], form) for form in FORMS),
        *((debugging if form == "json" else story, ["plan", "--verify"], form) for form in FORMS),
        (debugging, ["apply", "--yes", "--verify-first"], "json"),
        (story, ["apply", "--yes"], "text"),
        *((debugging if form == "text" else story, ["verify", "--all"], form) for form in FORMS),
        *((debugging, ["verify", "--all", "--probe", "generate", "--fresh"], form) for form in FORMS),
        *((story, ["verify", "--all", "--probe", "generate", "--dry-run"], form) for form in FORMS),
        (story, ["list"], "prometheus"),
        *(
            (story, words, form)
            for words in (["list"], ["history"], ["show", f"model:echo/{MODEL}"])
            for form in FORMS
        ),
        (story, ["show", "provider:echo"], "json"),
        (story, ["drift"], "json"),
        (story, ["export"], "text"),
        (story, ["export", "exported.d"], "json"),
        (story, ["render"], "json"),
        (story, ["db", "current"], "json"),
        *((broken, ["verify", "--all"], form) for form in FORMS[:2]),
        *((nowhere, ["list"], form) for form in FORMS[:2]),
        (nowhere.with_env(RECONCILER_DEBUG="1"), ["list"], "text"),
    ]
    for who, words, form in runs:
        answer = who.run(*words, "--output", form)
        assert answer.stdout or answer.stderr
        yield (f"{words} {form}", answer.stdout, answer.stderr)
    # The edits of an apply are said with what was there before.
    story.edit("UPDATE providers SET description = 'by hand', base_url = NULL")
    for form in FORMS:
        answer = story.run("apply", "--yes", "--output", form)
        yield (f"apply {form}", answer.stdout, answer.stderr)


def arrived(fake):
    """The provider has them all, so that there was something to find."""
    for secret in (*CANARIES.values(), *GOOD.values(), FROM_FILE):
        sent = (secret, quote_plus(secret))
        assert any(form in text for form in sent for request in fake.requests for text in texts(request)), (
            secret
        )
    assert any("iam-token." in request.text for request in fake.requests)


def texts(request):
    return (*request.headers.values(), request.body.decode())


def spellings(secret):
    """The secret as it is, and as programs may write it."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    forms = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        repr(secret)[1:-1],
        secret.replace('"', '\\"'),
    }
    return {*forms, encoded, encoded.replace("+", "-").replace("/", "_"), secret.encode().hex()}


def logged():
    """What the server's log has by now, every statement of this database included."""
    log = (session.home() / "postgres.log").read_text(errors="replace")
    assert "COPY reconciler_found (" in log
    return log


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("mysql://a:{}@b/c", id="of another database"),
        pytest.param("host=b password={}", id="not as a URL"),
        pytest.param("postgresql://a:{}@[b/c", id="with half an address"),
        pytest.param("postgresql://a:%zz{}@b/c", id="with a percent sign"),
        pytest.param("postgresql://a:x {}@b/c", id="with a space"),
        pytest.param("postgresql://a:x@{}@127.0.0.1/c", id="with an at sign"),
        pytest.param("postgresql://127.0.0.1:x/{}@b/c", id="with a slash"),
        pytest.param("postgresql://127.0.0.1:1/{}@b/c", id="with a slash after a number"),
        pytest.param("postgresql://a:{}@127.0.0.1:1/c", id="of a server that is not there"),
    ],
)
def test_a_database_url_that_cannot_be_used_does_not_show_its_password(url, tmp_path):
    for form in ("text", "json"):
        story = Story(tmp_path, url.format(PASSWORD), {"RECONCILER_DEBUG": "1"})
        answer = story.run("list", "--output", form)
        assert answer.status == 1
        assert PASSWORD not in answer.stdout + answer.stderr
        assert "Traceback" not in answer.stderr


def test_a_failure_of_the_program_itself_shows_no_key(story, fake):
    """Not even where a developer asks for the traceback, and what broke holds the request and its key."""
    story = providers_of_all_sorts(story, fake)
    story.apply()
    run = partial(
        subprocess.run,
        cwd=story.folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    for env in ({}, {"RECONCILER_DEBUG": "1"}):
        environment = clean_environment({"RECONCILER_DATABASE_URL": story.database, **story.env, **env})
        line = [command_line()[0], "-c", BREAKING, "verify", "--all", "--output", "json"]
        ran = run(line, env=environment)
        assert ran.returncode == 1
        assert '"internal"' in ran.stdout
        assert ("Traceback" in ran.stderr) == bool(env)
        assert ("[secret of " in ran.stderr) == bool(env)
        for secret in (*CANARIES.values(), *GOOD.values(), FROM_FILE, PASSWORD):
            assert not any(form in ran.stdout + ran.stderr for form in spellings(secret))
    assert fake.requests == []


ANY = "velvet-Anchor-31"
VENDORS = "sk-proj-" + "Hs7" * 8
# Everywhere that somebody might paste a key.
PASTED = {
    "credential": f"providers: {{p: {{kind: openai, credentials: {{api_key: {ANY}}}}}}}",
    "credentials": f"providers: {{p: {{kind: openai, credentials: {ANY}}}}}",
    "list": f"providers: {{p: {{kind: openai, credentials: [{ANY}]}}}}",
    "name": f"providers: {{p: {{kind: openai, credentials: {{{ANY} !x: env:A_API_KEY}}}}}}",
    "nested": f"providers: {{p: {{kind: openai, credentials: {{api_key: {{value: {ANY}}}}}}}}}",
    "almost": f'providers: {{p: {{kind: openai, credentials: {{api_key: "env: {ANY}"}}}}}}',
    "file": f'providers: {{p: {{kind: openai, credentials: {{api_key: "file:{ANY}"}}}}}}',
    "user": f"providers: {{p: {{kind: openai, base_url: 'https://me:{ANY}@api.openai.com/v1'}}}}",
    "query": f"providers: {{p: {{kind: openai, base_url: 'https://api.openai.com/v1?key={ANY}'}}}}",
    "field": f"providers: {{p: {{kind: openai, api_key: {ANY}}}}}",
    "extra": f"parameters: {{p: {{extra: {{api_key: {ANY}}}}}}}",
    "header": f"parameters: {{p: {{extra: {{headers: {{Authorization: 'Bearer {ANY}'}}}}}}}}",
    "description": f"providers: {{p: {{kind: openai, description: 'our key is {VENDORS}'}}}}",
    "label": f"providers: {{p: {{kind: openai, labels: {{key: {VENDORS}}}}}}}",
    "prompt": f"templates: {{t: {{system_prompt: 'Use {VENDORS}.'}}}}",
    "stop": f"parameters: {{p: {{stop_sequences: [{VENDORS}]}}}}",
    "model": f"providers: {{p: {{kind: openai, models: {{{VENDORS}: {{}}}}}}}}",
    "provider": f"providers: {{{VENDORS}: {{kind: openai}}}}",
    "kind": f"providers: {{p: {{kind: {VENDORS}}}}}",
    "reference": f"providers: {{p: {{kind: openai, parameters: {VENDORS}}}}}",
    "number": f"parameters: {{p: {{temperature: {VENDORS}}}}}",
    "word": f"parameters: {{p: {{unsupported: {VENDORS}}}}}",
    "unknown": f"parameters: {{p: {{{VENDORS}: 1}}}}",
    "section": f"{VENDORS}: 1",
    "syntax": f"providers: {{p: {{kind: openai, credentials: {{api_key: {ANY}]",
    "twice": f"providers: {{p: {{kind: openai, credentials: {{{VENDORS}: env:A, {VENDORS}: env:B}}}}}}",
    "tag": f"providers: {{p: {{kind: openai, credentials: !{ANY} {{}}}}}}",
    "anchor": f"providers: {{p: {{kind: openai, credentials: *{ANY}}}}}",
    "wire": f"kinds: {{k: {{protocol: openai, headers: {{Authorization: 'Bearer {ANY}'}}}}}}",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_was_pasted_into_a_file_is_refused_and_not_repeated(form, tmp_path):
    story = Story(tmp_path, "postgresql://127.0.0.1:1/nothing")
    for name, text in PASTED.items():
        story.write(**{name: text})
    for words in (["validate"], ["apply", "--yes"]):
        answer = story.run(*words, "--output", form)
        said = answer.stdout + answer.stderr
        assert answer.status == 1
        assert [name for name in PASTED if f"{name}.yaml" not in said] == []
        assert [line for line in said.splitlines() if ANY in line or VENDORS in line] == []
    if form == "json":
        problems = story.ask("validate", status=1)["problems"]
        refused = {one["file"].removesuffix(".yaml") for one in problems if one["severity"] == "error"}
        assert refused == set(PASTED)
        literal = {one["file"] for one in problems if one["code"] == "literal-secret"}
        assert {f"{name}.yaml" for name in ("credential", "description", "label", "prompt")} <= literal


def test_a_key_that_was_pasted_into_a_row_is_not_carried_any_further(story):
    story.write(
        here=provider("here", "m", base_url="https://here.example/v1", credentials="{api_key: env:A_API_KEY}")
    )
    story.apply()
    story.edit(
        f"UPDATE providers SET credentials = '{{\"api_key\": \"{ANY}\"}}', description = 'use {VENDORS}'",
        f'UPDATE provider_model_configs SET labels = \'{{"key": "{VENDORS}"}}\'',
        f"INSERT INTO providers (name, kind, credentials) VALUES ('by-hand', 'openai', '\"{ANY}\"')",
    )
    for words in (
        *(
            ["plan"],
            ["drift"],
            ["list"],
            ["history"],
            ["show", "provider:here"],
            ["export"],
            ["export", "copy.d"],
        ),
        *(["verify", "--all"], ["apply", "--yes"]),
    ):
        for form in FORMS if words[0] in {"drift", "history"} else FORMS[:2]:
            answer = story.run(*words, "--output", form)
            assert answer.status in {0, 1, 2}
            assert [text for text in (ANY, VENDORS) if text in answer.stdout + answer.stderr] == [], words
            if words[0] == "export":
                assert "holds what looks like a secret" in answer.stdout + answer.stderr
    assert "***" in story.run("history").stdout
    assert not (story.folder / "copy.d").exists()


def test_a_key_in_a_comment_or_an_ignored_section_goes_nowhere(story):
    story.write(
        here=f"# {VENDORS}\nx-notes: [plain]\n{provider('here', 'm', base_url='https://here.example/v1')}"
    )
    story.apply()
    said = [story.run(*words, "--output", "json").stdout for words in (["render"], ["export"], ["history"])]
    assert not any(VENDORS in text for text in (*said, *(row for _, row in story.everything())))
    assert run_command("validate", cwd=story.folder).status == 0
