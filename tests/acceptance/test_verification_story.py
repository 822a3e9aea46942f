"""Verification as an operator lives with it: real probes of a local server by the installed command, what
they find, what is stored of it, and where no key ever goes.
"""

import pytest
from support.certificates import write_certificates
from support.directories import Story, provider
from support.providers import MODELS, FakeProviders, key

# The same three questions in every protocol: how a kind of that protocol is written, and a model that exists.
KINDS = {
    "openai-compatible": "",
    "anthropic": "",
    "acme": """
kinds:
  acme:
    protocol: openai
    credentials: {api_key: {env: [ACME_API_KEY], header: Authorization, prefix: "Bearer "}}
    probes: {credential: {path: /models}, model: {path: "/models/{model}"}}
""",
    "blue": """
kinds:
  blue:
    protocol: watsonx
    credentials: {api_key: {env: [BLUE_API_KEY]}}
    probes:
      credential: {method: POST, path: "IAM"}
      model:
        path: /ml/v1/foundation_model_specs
        query: {version: "2024-05-31", limit: "200"}
        list_at: resources
        id_field: model_id
        authenticated: false
""",
}
DIALECTS = {"openai-compatible": "openai", "anthropic": "anthropic", "acme": "openai", "blue": "watsonx"}
# What may pass by itself, by the behaviour that a key asks for.
TRANSIENT = {
    "rate-limited": ("rate_limited", 429),
    "no-quota": ("quota_exhausted", 429),
    "http-500": ("overloaded", 500),
    "http-529": ("overloaded", 529),
    "hang": ("timeout", None),
    "drip": ("timeout", None),
    "reset": ("unreachable", None),
    "malformed": ("bad_response", 200),
    "html": ("bad_response", 200),
    "error-in-200": ("bad_response", 200),
    "huge": ("bad_response", 200),
    "redirect": ("bad_response", 307),
}


@pytest.fixture
def fake():
    with FakeProviders() as server:
        yield server


@pytest.fixture
def other():
    """A second server, for what must not arrive anywhere."""
    with FakeProviders() as server:
        yield server


@pytest.fixture
def story(tmp_path, database):
    return Story(tmp_path, database)


def allowed(story, *fakes, **env):
    """The story where the operator trusts these servers, and with these variables."""
    return story.with_env(RECONCILER_ALLOWED_HOSTS=",".join(one.host for one in fakes), **env)


def keyed(name, model, fake, *, behaviour="", kind="openai-compatible", **fields):
    """A provider at the server, with a key of its own in `NAME_API_KEY`."""
    return provider(
        name,
        *([model] if isinstance(model, str) else model),
        kind=kind,
        base_url=fake.base_url(DIALECTS[kind], behaviour),
        credentials=f"{{api_key: env:{variable(name)}}}",
        **fields,
    )


def variable(name):
    return f"{name.upper().replace('-', '_')}_API_KEY"


def outcomes(answer):
    """What each model's probe found, by provider."""
    return {one["address"].split(":")[1].split("/")[0]: one["outcome"] for one in answer["verification"]}


def statuses(story):
    """What is known of each provider's one model."""
    return dict(
        story.rows(
            "SELECT m.provider_name, v.status FROM provider_model_configs m"
            " JOIN model_verification v ON v.model_id = m.id"
        )
    )


def last_verified(story):
    return dict(story.rows("SELECT provider_name, last_verified FROM provider_model_configs"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_key_a_bad_one_and_an_unknown_model(kind, story, tmp_path):
    authority, *certificate = write_certificates(tmp_path / "certificates")
    loopback = kind == "openai-compatible"
    with FakeProviders(certificate=None if loopback else certificate) as fake:
        story = allowed(
            story,
            fake,
            RECONCILER_CA_FILE=str(authority),
            **{variable(name): key(behaviour) for name, behaviour in (("good", ""), ("bad", "bad"))},
            UNKNOWN_API_KEY=key(),
        )
        for name, model in (("good", MODELS[1]), ("bad", MODELS[1]), ("unknown", "never-made")):
            story.write(**{name: keyed(name, known(kind, model), fake, kind=kind)})
        if KINDS[kind]:
            story.write(kinds=KINDS[kind].replace("IAM", fake.iam))
        answer = story.ask("apply", "--yes")
        assert outcomes(answer) == {"good": "ok", "bad": "auth_failed", "unknown": "model_not_found"}
        assert statuses(story) == {"good": "verified", "bad": "unverified", "unknown": "unverified"}
        assert story.rows(
            "SELECT provider_name FROM provider_model_configs WHERE last_verified IS NOT NULL AND is_active"
        ) == [("good",)]
        assert (
            story.ask("verify", f"model:good/{known(kind, MODELS[1])}")["verification"][0]["outcome"] == "ok"
        )
        again = story.ask("verify", "--all", "--probe", "credential", status=5)
        assert outcomes(again) == {"good": "ok", "bad": "auth_failed", "unknown": "ok"}
        assert fake.has_seen(key())
        is_stored(story, answer)


def known(kind, model):
    return "claude-sonnet-4" if kind == "anthropic" and model in MODELS else model


def is_stored(story, answer):
    """What a run told is what the tables hold of it."""
    stored = story.rows(
        "SELECT address, outcome, probe, http_status, detail, source FROM verification_results"
        " WHERE at = (SELECT min(at) FROM verification_results) ORDER BY address"
    )
    told = [
        (one["address"], one["outcome"], one["probe"], one["http_status"], one["detail"], "default")
        for one in answer["verification"]
    ]
    assert stored == sorted(told)
    assert all(detail for *_, detail, _ in stored)
    assert story.counts("model_verification WHERE checked_at IS NOT NULL AND next_due > checked_at") == (3,)


def test_what_may_pass_by_itself_changes_no_status(story, fake):
    names = [*TRANSIENT, "slow"]
    good = {variable(name): key() for name in names}
    story = allowed(story, fake, **good)
    for name in names:
        story.write(**{name: keyed(name, "gpt-4", fake, verification="{timeout: 2s, failure_threshold: 1}")})
    assert set(outcomes(story.ask("apply", "--yes", "--require-verified")).values()) == {"ok"}
    before = last_verified(story)
    ill = story.with_env(**{variable(name): key(name) for name in names})
    answer = ill.ask("verify", "--all")
    assert outcomes(answer) == {name: outcome for name, (outcome, _) in TRANSIENT.items()} | {"slow": "ok"}
    seen = {one["address"]: one["http_status"] for one in answer["verification"]}
    assert seen == {f"model:{name}/gpt-4": status for name, (_, status) in TRANSIENT.items()} | {
        "model:slow/gpt-4": 200
    }
    # An account without money mends itself no more than it proves the model unusable.
    assert statuses(story) == dict.fromkeys(names, "verified") | {"no-quota": "degraded"}
    after = last_verified(story)
    assert {name: after[name] for name in TRANSIENT} == {name: before[name] for name in TRANSIENT}
    assert after["slow"] > before["slow"]
    assert sorted(outcomes(story.ask("verify", "--failed"))) == sorted(TRANSIENT)


def test_a_model_fails_only_after_so_many_bad_answers_in_a_row(story, fake):
    story = allowed(story, fake, HERE_API_KEY=key())
    story.write(here=keyed("here", "gpt-4", fake))
    assert outcomes(story.ask("apply", "--yes")) == {"here": "ok"}
    before = last_verified(story)
    behaviours = [
        ("bad", "verified", 5),
        ("http-500", "verified", 0),
        ("bad", "verified", 5),
        ("bad", "failing", 5),
        ("rate-limited", "failing", 0),
    ]
    for behaviour, status, exit_status in behaviours:
        story.with_env(HERE_API_KEY=key(behaviour)).ask("verify", "--all", status=exit_status)
        assert (statuses(story), activity(story)) == ({"here": status}, [(True, None)])
    assert last_verified(story) == before
    assert "failing" in story.run("list").stdout
    story.ask("verify", "--all")
    assert statuses(story) == {"here": "verified"}
    assert last_verified(story)["here"] > before["here"]
    assert story.rows("SELECT failures FROM model_verification") == [(0,)]
    assert story.ask("plan", "--detailed-exitcode")["changes"] == []


def test_a_missing_credential_is_an_outcome_and_no_error(story, fake):
    story = allowed(story, fake)
    story.write(here=keyed("here", "gpt-4", fake))
    answer = story.ask("apply", "--yes", "--require-verified")
    assert outcomes(answer) == {"here": "secret_missing"}
    assert "HERE_API_KEY" in answer["verification"][0]["detail"]
    assert outcomes(story.ask("verify", "--all")) == {"here": "secret_missing"}
    assert statuses(story) == {"here": "unverified"}
    assert fake.requests == []


def test_a_dead_endpoint_costs_at_most_its_timeout(story, fake, tmp_path):
    story = allowed(story, fake, DEAD_API_KEY=key("hang"), HERE_API_KEY=key())
    story.write(
        kinds=KINDS["acme"],
        dead=keyed(
            "dead", [f"m{number}" for number in range(30)], fake, kind="acme", verification="{timeout: 3s}"
        ),
        here=keyed("here", "gpt-4", fake),
    )
    answer = story.ask("apply", "--yes")
    found = {one["address"]: one["outcome"] for one in answer["verification"]}
    assert found.pop("model:here/gpt-4") == "ok"
    assert set(found.values()) == {"timeout", "skipped"}
    assert answer["seconds"]["verify"] < 2 * 3
    assert answer["applied"]["create"] == 33


@pytest.mark.parametrize(
    ("kind", "name"),
    [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY"), ("vllm", "VLLM_API_KEY")],
)
def test_a_key_goes_nowhere_but_where_it_is_allowed(kind, name, story, fake):
    story = story.with_env(**{name: key()})
    base_url = fake.base_url("anthropic" if kind == "anthropic" else "openai")
    credentials = f"{{api_key: env:{name}}}"
    story.write(here=provider("here", "gpt-4", kind=kind, base_url=base_url, credentials=credentials))
    answer = story.ask("apply", "--yes")
    assert outcomes(answer) == {"here": "refused_host"}
    assert f"RECONCILER_ALLOWED_HOSTS={fake.host}" in answer["verification"][0]["detail"]
    assert outcomes(story.ask("verify", "--all", "--probe", "credential")) == {"here": "refused_host"}
    assert fake.requests == []
    # Servers on this machine may be asked whether they are there, without the key.
    reached = outcomes(story.ask("verify", "--all", "--probe", "reach"))
    assert reached == {"here": "ok" if kind == "vllm" else "refused_host"}
    assert len(fake.requests) == (kind == "vllm")
    assert not fake.has_seen(key())


def test_a_kind_of_the_files_chooses_no_host_for_a_key(story, tmp_path):
    """Neither by its base URL, nor by where it says that its key is exchanged or probed."""
    authority, *certificate = write_certificates(tmp_path / "certificates")
    with FakeProviders(certificate=certificate) as fake, FakeProviders(certificate=certificate) as thief:
        story = allowed(
            story, fake, RECONCILER_CA_FILE=str(authority), THERE_API_KEY=key(), HERE_API_KEY=key()
        )
        paths = {
            "/models}": f"{thief.openai}/models}}",
            '"/models/{model}"': f'"{thief.openai}/models/{{model}}"',
        }
        acme = KINDS["acme"]
        for ours, theirs in paths.items():
            acme = acme.replace(ours, theirs)
        blue = KINDS["blue"].replace("IAM", thief.iam).replace("\nkinds:", "")
        story.write(
            kinds=acme + blue,
            here=keyed("here", "gpt-4", fake, kind="acme"),
            there=keyed("there", "gpt-4", fake, kind="blue"),
        )
        answer = story.ask("apply", "--yes")
        assert outcomes(answer) == {"here": "refused_host", "there": "refused_host"}
        assert (thief.requests, fake.requests) == ([], [])


@pytest.mark.parametrize(
    ("reference", "env"),
    [
        pytest.param("env:RECONCILER_DATABASE_URL", {}, id="our database"),
        pytest.param(
            "env:RECONCILER_DATABASE_URL",
            {"RECONCILER_ALLOWED_ENV": "RECONCILER_DATABASE_URL"},
            id="our database, whatever is allowed",
        ),
        pytest.param(
            "env:APP_DATABASE_URL", {"APP_DATABASE_URL": "postgresql://a:b@c/d"}, id="another database"
        ),
        pytest.param(
            "env:SOME_API_KEY", {"SOME_API_KEY": "postgresql://a:b@c/d"}, id="a database by its value"
        ),
        pytest.param("env:HOME", {}, id="a variable that nobody listed"),
        pytest.param("env:AWS_SECRET_ACCESS_KEY", {"AWS_SECRET_ACCESS_KEY": "x" * 40}, id="another secret"),
        pytest.param("file:/etc/hostname", {}, id="a file that nobody listed"),
    ],
)
def test_a_reference_that_is_not_allowed_is_not_even_read(reference, env, story, fake):
    story = allowed(story, fake, **env)
    credentials = f'{{api_key: "{reference}"}}'
    story.write(here=provider("here", "gpt-4", base_url=fake.openai, credentials=credentials))
    answer = story.ask("apply", "--yes")
    assert outcomes(answer) == {"here": "refused_reference"}
    assert fake.requests == []


def test_the_operator_can_allow_a_variable_and_a_folder(story, fake, tmp_path):
    (tmp_path / "key").write_text(f"{key()}\n")
    story = allowed(
        story,
        fake,
        RECONCILER_ALLOWED_ENV="OTHER_SECRET, ANOTHER",
        OTHER_SECRET=key(),
        RECONCILER_ALLOWED_FILES=str(tmp_path),
    )
    for name, reference in (("by-env", "env:OTHER_SECRET"), ("by-file", f"file:{tmp_path}/key")):
        credentials = f'{{api_key: "{reference}"}}'
        story.write(**{name: provider(name, "gpt-4", base_url=fake.openai, credentials=credentials)})
    assert outcomes(story.ask("apply", "--yes")) == {"by-env": "ok", "by-file": "ok"}


def test_a_redirect_is_not_followed_and_a_proxy_not_used(story, other):
    with FakeProviders(redirect_to=f"{other.url}/openai/v1/models") as fake:
        proxies = dict.fromkeys(
            ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"), other.url
        )
        story = allowed(story, fake, other, **proxies, HERE_API_KEY=key())
        story.write(here=keyed("here", "gpt-4", fake, behaviour="redirect"))
        answer = story.ask("apply", "--yes")
        assert outcomes(answer) == {"here": "bad_response"}
        assert "not followed" in answer["verification"][0]["detail"]
        assert fake.has_seen(key())
    assert other.requests == []


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(story, tmp_path):
    _, *certificate = write_certificates(tmp_path / "certificates")
    with FakeProviders(certificate=certificate) as fake:
        story = allowed(story, fake, HERE_API_KEY=key())
        story.write(here=keyed("here", "gpt-4", fake))
        answer = story.ask("apply", "--yes")
        assert outcomes(answer) == {"here": "unreachable"}
        assert "RECONCILER_CA_FILE" in answer["verification"][0]["detail"]
        assert fake.requests == []


def test_what_waits_for_its_first_success_becomes_active_with_it(story, fake):
    story = allowed(story, fake, HERE_API_KEY=key("bad"))
    verification = "{activation: verified, failure_threshold: 1}"
    story.write(here=keyed("here", "gpt-4", fake, verification=verification))
    assert story.ask("apply", "--yes", "--require-verified", status=5)["applied"]["create"] == 2
    assert activity(story) == [(False, "pending")]
    # Being on hold is neither a change of the files nor of the database.
    assert story.ask("plan", "--detailed-exitcode")["changes"] == []
    assert story.ask("drift")["changes"] == []
    assert story.ask("list", "--active")["models"] == []
    story.with_env(HERE_API_KEY=key("http-500")).ask("verify", "--all")
    assert activity(story) == [(False, "pending")]
    story.with_env(HERE_API_KEY=key()).ask("verify", "--all")
    assert activity(story) == [(True, None)]
    event = story.ask("history", "model:here/gpt-4")["events"][0]
    assert (event["before"]["is_active"], event["after"]["is_active"]) == (False, True)
    story.ask("verify", "--all", status=5)
    assert activity(story) == [(True, None)]
    assert statuses(story) == {"here": "failing"}
    assert story.ask("plan", "--detailed-exitcode")["changes"] == []


def test_files_that_wait_no_longer_let_a_waiting_model_go(story, fake):
    story = allowed(story, fake, HERE_API_KEY=key("bad"))
    story.write(here=keyed("here", "gpt-4", fake, verification="{activation: verified}"))
    story.apply()
    assert activity(story) == [(False, "pending")]
    story.write(here=keyed("here", "gpt-4", fake, verification="{activation: immediate}"))
    story.apply()
    assert activity(story) == [(True, None)]


def test_a_persons_deactivation_is_not_undone_by_a_probe(story, fake):
    story = allowed(story, fake, HERE_API_KEY=key())
    story.write(here=keyed("here", "gpt-4", fake, verification="{activation: verified}"))
    story.apply()
    story.edit("UPDATE provider_model_configs SET is_active = FALSE")
    assert activity(story) == [(False, None)]
    assert story.ask("verify", "--all")["verification"] == []
    assert activity(story) == [(False, None)]
    assert story.ask("drift", status=2)["changes"][0]["action"] == "activate"


def activity(story):
    return story.rows("SELECT is_active, hold FROM provider_model_configs ORDER BY id")


def test_only_what_changed_is_probed_and_only_what_is_due(story, fake):
    story = allowed(story, fake, HERE_API_KEY=key(), THERE_API_KEY=key())
    story.write(here=keyed("here", ["gpt-4", "granite-13b"], fake), there=keyed("there", "gpt-4", fake))
    assert len(story.ask("apply", "--yes")["verification"]) == 3
    assert story.ask("apply", "--yes")["verification"] == []
    assert story.ask("verify")["verification"] == []
    assert story.run("verify").stdout == "No models to verify.\n"
    story.write(there=keyed("there", ["gpt-4", "llama3:latest"], fake))
    assert [one["address"] for one in story.ask("apply", "--yes")["verification"]] == [
        "model:there/llama3:latest"
    ]
    story.edit("UPDATE model_verification SET next_due = now() - interval '1 minute' WHERE model_id = 1")
    assert [one["address"] for one in story.ask("verify", "--due")["verification"]] == ["model:here/gpt-4"]
    seen = len(fake.requests)
    assert {one["outcome"] for one in story.ask("verify", "--all", "--probe", "none")["verification"]} == {
        "skipped"
    }
    assert len(fake.requests) == seen
    story.ask("verify", "--all", "--probe", "reach")
    assert not any(key() in request.text for request in fake.requests[seen:])
    assert story.ask("verify", "model:here/nobody", status=1)["error"]["code"] == "no-such-entity"


def test_a_rotated_key_is_noticed_and_only_its_providers_models_are_asked_about(story, fake):
    story = allowed(story, fake, HERE_API_KEY=key(), THERE_API_KEY=key("open"), RECONCILER_FINGERPRINT_KEY="")
    story.write(here=keyed("here", ["gpt-4", "granite-13b"], fake), there=keyed("there", "gpt-4", fake))
    story.ask("apply", "--yes")
    assert story.ask("verify", "--due")["verification"] == []
    rotated = story.with_env(HERE_API_KEY=key("echo"))
    answer = rotated.run("verify", "--due", "--output", "json")
    found = {one["address"]: one["outcome"] for one in answer.document["verification"]}
    assert found == dict.fromkeys(["model:here/gpt-4", "model:here/granite-13b"], "auth_failed")
    assert rotated.ask("verify", "--due")["verification"] == []
    # The key of the fingerprints is this machine's, and nothing of it or of the secrets is anywhere else.
    kept = (story.folder / "home" / "fingerprint.key").read_bytes()
    stored = " ".join(text for _, text in story.everything())
    for secret in (key(), key("echo"), kept.hex(), kept.decode("latin-1")):
        assert secret not in stored
        assert secret not in f"{answer.stdout} {answer.stderr}"


def test_another_fingerprint_key_concludes_no_rotation_and_a_short_one_is_refused(story, fake):
    story = allowed(story, fake, HERE_API_KEY=key(), RECONCILER_FINGERPRINT_KEY="0123456789abcdef")
    story.write(here=keyed("here", "gpt-4", fake))
    story.ask("apply", "--yes")
    assert not (story.folder / "home").exists()
    other = story.with_env(HERE_API_KEY=key("echo"), RECONCILER_FINGERPRINT_KEY="fedcba9876543210")
    assert other.ask("verify", "--due")["verification"] == []
    assert len(story.with_env(HERE_API_KEY=key("echo")).run("verify", "--due").stdout.splitlines()) == 3
    short = story.with_env(RECONCILER_FINGERPRINT_KEY="too-short")
    assert short.ask("verify", "--all", status=1)["error"]["code"] == "bad-fingerprint-key"


def test_without_a_place_for_the_key_it_is_told_once_and_verifying_goes_on(story, fake, tmp_path):
    (tmp_path / "file").touch()
    home = str(tmp_path / "file" / "home")
    story = allowed(story, fake, HERE_API_KEY=key(), RECONCILER_FINGERPRINT_KEY="", RECONCILER_HOME=home)
    story.write(here=keyed("here", ["gpt-4", "granite-13b"], fake))
    answer = story.run("apply", "--yes", "--output", "json")
    assert {one["outcome"] for one in answer.document["verification"]} == {"ok"}
    assert answer.stderr.count("RECONCILER_FINGERPRINT_KEY") == 1


def test_an_earlier_result_is_shown_as_one(story, fake):
    story = allowed(story, fake, HERE_API_KEY=key())
    story.write(here=keyed("here", "gpt-4", fake))
    assert not story.ask("apply", "--yes")["verification"][0]["cached"]
    asked = len(fake.requests)
    story.write(here=keyed("here", "gpt-4", fake, description="new words"), more=provider("x", kind="ollama"))
    story.edit("UPDATE provider_model_configs SET version = '2'")
    (again,) = story.ask("apply", "--yes")["verification"]
    assert (again["outcome"], again["cached"]) == ("ok", True)
    assert "still good" in again["detail"]
    assert len(fake.requests) == asked


def test_a_dry_run_asks_nobody_and_writes_nothing(story, fake):
    story = allowed(story, fake, HERE_API_KEY=key(), RECONCILER_FINGERPRINT_KEY="")
    story.write(
        here=keyed("here", ["gpt-4", "granite-13b"], fake, verification="{probe: generate, budget: 1}")
    )
    story.apply()
    before = story.everything()
    document = story.ask("verify", "--all", "--dry-run")
    first, second = document["probes"]
    assert (first["address"], first["probe"], first["reason"]) == ("model:here/gpt-4", "generate", "")
    assert first["host"] in fake.url
    assert first["tokens"] > 0
    assert second["calls"] == []
    assert "verification.budget" in second["reason"]
    calls = len(first["calls"])
    assert document["totals"] == {"probes": 1, "calls": calls, "generate": 1, "tokens": first["tokens"]}
    for output in ("text", "markdown"):
        shown = story.run("verify", "--all", "--dry-run", "--output", output).stdout
        assert "1 of 2 models would be probed" in shown
    assert fake.requests == []
    assert story.everything() == before
    assert not (story.folder / "home").exists()


def test_the_trail_tells_how_a_status_came_about(story, fake):
    story = allowed(story, fake, HERE_API_KEY=key())
    story.write(here=keyed("here", "gpt-4", fake, verification="{failure_threshold: 1}"))
    story.ask("apply", "--yes")
    story.with_env(HERE_API_KEY=key("bad")).ask("verify", "--all", status=5)
    lines = story.run("history", "model:here/gpt-4").stdout.splitlines()
    (at,) = [number for number, line in enumerate(lines) if "verify model:here/gpt-4" in line][:1]
    assert "verification" in lines[at]
    assert "verified" in lines[at + 1]
    assert "failing" in lines[at + 1]
    assert "auth_failed" in lines[at + 2]
