"""Kinds, targets and access as probes take them, written out by hand so that no test of probing depends on
the kinds that are shipped."""

from reconciler.core.address import model_address
from reconciler.core.probe import Access, ProbeTarget
from reconciler.core.provider_kind import CredentialRule, Probe, ProviderKind

VARIABLE = "OPENAI_API_KEY"
BEARER = CredentialRule(env=(VARIABLE,), header="Authorization", prefix="Bearer ")

OPENAI = ProviderKind(
    name="openai",
    protocol="openai",
    base_url="https://api.openai.com/v1",
    credentials={
        "api_key": BEARER,
        "organization": CredentialRule(
            env=("OPENAI_ORG_ID",), required=False, secret=False, header="OpenAI-Organization"
        ),
    },
    hosts=("api.openai.com",),
    probes={
        "reach": Probe(path="/models"),
        "credential": Probe(path="/models"),
        "model": Probe(path="/models/{model}"),
    },
)
COMPATIBLE = ProviderKind(
    name="openai-compatible",
    protocol="openai",
    credentials={"api_key": CredentialRule(env=("OPENAI_COMPATIBLE_API_KEY",), required=False)},
    default_credentials="none",
    loopback=True,
    probes={"credential": Probe(path="/models"), "model": Probe(path="/models", list_at="data")},
)
ANTHROPIC = ProviderKind(
    name="anthropic",
    protocol="anthropic",
    credentials={"api_key": CredentialRule(env=("ANTHROPIC_API_KEY",))},
    hosts=("api.anthropic.com",),
    probes={
        "credential": Probe(path="/v1/models", query={"limit": "1"}),
        "model": Probe(path="/v1/models/{model}"),
    },
)


def watsonx(iam: str, *, authenticated: bool = False) -> ProviderKind:
    """watsonx, with its keys exchanged at `iam`."""
    return ProviderKind(
        name="watsonx",
        protocol="watsonx",
        credentials={
            "api_key": CredentialRule(env=("WATSONX_APIKEY", "WX_API_KEY")),
            "project_id": CredentialRule(env=("WATSONX_PROJECT_ID",), required=False, secret=False),
        },
        hosts=("*.ml.cloud.ibm.com", "iam.cloud.ibm.com"),
        probes={
            "credential": Probe(method="POST", path=iam),
            "model": Probe(
                path="/ml/v1/foundation_model_specs",
                query={"version": "2024-05-31", "limit": "200"},
                list_at="resources",
                id_field="model_id",
                authenticated=authenticated,
            ),
        },
    )


def target(
    model="gpt-4o",
    kind=OPENAI,
    base_url="https://api.openai.com/v1",
    *,
    provider=None,
    credentials="kind",
    level="model",
    timeout=5.0,
):
    """One model to probe."""
    return ProbeTarget(
        address=model_address(provider or kind.name, model),
        kind=kind,
        base_url=base_url,
        credentials=credentials,
        mode="chat",
        level=level,
        timeout=timeout,
    )


def access(fake=None, **environ):
    """What an operator allows who trusts the fake server, with keys in the environment."""
    return Access(environ=environ, allowed_hosts=() if fake is None else (fake.host,))
