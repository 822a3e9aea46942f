"""The official OpenAI SDK's clients, with a provider's endpoint and key, for what is not done here. They take
nothing from the environment: what it holds may be another provider's.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from reconciler.core.probe import Access
from reconciler.errors import UsageError
from reconciler.protocols.azure_openai import is_undated
from reconciler.protocols.exchange import SecretHeader, Verdict
from reconciler.protocols.hosts import is_loopback, origin_of
from reconciler.protocols.keys import opened, spoken_to
from reconciler.protocols.pools import trust_in
from reconciler.protocols.questions import Case
from reconciler.runtime import calling, loop
from reconciler.runtime.interchange import OPENAI_PROTOCOLS, version_of, wrong_protocol
from reconciler.runtime.responses import ProviderModelConfigResponse

if TYPE_CHECKING:
    import openai

_AZURE = "azure-openai"


def client(config: ProviderModelConfigResponse, access: Access, more: dict[str, Any]) -> openai.OpenAI:
    """The client for a model's provider; see `LLMProvider.openai_client`."""
    sdk, case = _sdk(), _case(config, access)
    http_client = more.get("http_client") or sdk.DefaultHttpxClient(**_network(case, access))
    is_dated, arguments = _arguments(sdk, case)
    made = (sdk.AzureOpenAI if is_dated else sdk.OpenAI)(**{**arguments, **more, "http_client": http_client})
    return cast("openai.OpenAI", made)


def async_client(
    config: ProviderModelConfigResponse, access: Access, more: dict[str, Any]
) -> openai.AsyncOpenAI:
    """The same for coroutines."""
    sdk, case = _sdk(), _case(config, access)
    http_client = more.get("http_client") or sdk.DefaultAsyncHttpxClient(**_network(case, access))
    is_dated, arguments = _arguments(sdk, case)
    made = (sdk.AsyncAzureOpenAI if is_dated else sdk.AsyncOpenAI)(
        **{**arguments, **more, "http_client": http_client}
    )
    return cast("openai.AsyncOpenAI", made)


def _sdk() -> ModuleType:
    try:
        import openai
    except ImportError as error:
        raise UsageError(
            "The official client needs the OpenAI SDK, which is not installed.",
            code="no-openai",
            hint="pip install 'llm-reconciler[openai]'",
        ) from error
    return openai


def _case(config: ProviderModelConfigResponse, access: Access) -> Case:
    kind = calling.kind_of(config)
    if kind.protocol not in OPENAI_PROTOCOLS:
        raise wrong_protocol(config, kind)
    case = opened(calling.target_for(config, calling.WHOLE_ANSWER), access)
    if isinstance(case, Verdict):
        raise calling.failure(config, case)
    return case


def _network(case: Case, access: Access) -> dict[str, Any]:
    """No redirects and no proxies of the environment, which would have the key too."""
    origin = origin_of(case.base_url)
    is_here = origin is not None and is_loopback(origin.host)
    return {
        "follow_redirects": False,
        "trust_env": False,
        "verify": trust_in(access.ca_file),
        "proxy": None if is_here else access.proxy,
    }


def _arguments(sdk: ModuleType, case: Case) -> tuple[bool, dict[str, Any]]:
    """Whether the client is Azure's with its dated versions, and what it is made with."""
    # Whatever is not named would be looked for in the environment.
    headers = dict.fromkeys(("OpenAI-Organization", "OpenAI-Project"), sdk.Omit())
    own = {**headers, **case.target.kind.headers}
    if case.target.kind.protocol != _AZURE:
        return False, {"base_url": case.base_url, **_keyed(sdk, case, own)}
    version = version_of(case) or ""
    if not is_undated(case.target.base_url or "", version):
        return True, {"azure_endpoint": case.base_url, "api_version": version, **_keyed_by_azure(case, own)}
    query = {} if version[:1] in "v2" else {"default_query": {"api-version": version}}
    return False, {"base_url": f"{case.base_url.rstrip('/')}/openai/v1", **query, **_keyed(sdk, case, own)}


def _keyed_by_azure(case: Case, headers: dict[str, Any]) -> dict[str, Any]:
    """The key, or else the token, and never both."""
    arguments = {"admin_api_key": "", "default_headers": headers}
    if token := case.credentials.get("ad_token"):
        return {**arguments, "azure_ad_token": token.reveal()}
    key = case.credentials.get("api_key")
    return {**arguments, "api_key": key.reveal() if key else ""}


def _keyed(sdk: ModuleType, case: Case, headers: dict[str, Any]) -> dict[str, Any]:
    """The key where it goes the SDK's own way, and every other credential in its header."""
    key = ""
    for secret in _placed(case):
        if (secret.name.lower(), secret.prefix) == ("authorization", "Bearer "):
            key = secret.secret.reveal()
        else:
            headers = {**headers, secret.name: secret.prefix + secret.secret.reveal()}
    headers = headers if key else {**headers, "Authorization": sdk.Omit()}
    return {"admin_api_key": "", "api_key": key, "default_headers": headers}


def _placed(case: Case) -> tuple[SecretHeader, ...]:
    """The headers that our own requests bear."""
    spoken = spoken_to(case.target)
    placed = spoken if isinstance(spoken, Verdict) else loop.wait_for(spoken.secret_headers(case))
    assert not isinstance(placed, Verdict)
    return placed
