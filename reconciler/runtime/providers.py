"""Models that can be called, each made of one stored configuration: a class for each protocol, and what they
share. The configuration stays as it was given; whoever wants changes to be seen makes another one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Self

from reconciler.core.probe import ProbeTarget
from reconciler.core.prompt import NOTHING_BESIDES, Inputs, Prompt
from reconciler.errors import GenerationError, ProviderConfigError, UsageError
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.generation import Piece, Reply
from reconciler.runtime import calling, loop
from reconciler.runtime.generation import Generation
from reconciler.runtime.responses import ProviderModelConfigResponse
from reconciler.runtime.streams import AsyncStream, Put, Stream
from reconciler.runtime.works import Means, answered, delivered, means_of
from reconciler.settings import Settings

if TYPE_CHECKING:
    from types import TracebackType

    import openai

_Answer = Coroutine[Any, Any, Generation | GenerationError]


class LLMProvider:
    """A model that can be called, in whatever protocol its provider speaks.

    Each call resolves the credentials anew, sends them only where the operator allows it, and is made once:
    nothing is tried again or elsewhere. Any thread and any event loop may call, also many at once.

    A program's own provider is a subclass that answers in `reply` and `pieces`, which run in a loop of ours;
    see `ProviderFactory.register`.

    Args:
        config: The model, as the registry holds it.
        settings: What the operator has set; by default read from `environ`.
        environ: Where settings and `env:` references are resolved; by default the environment.

    Raises:
        ProviderConfigError: The provider speaks another protocol than this class (`wrong-provider`).

    >>> class Echo(LLMProvider):
    ...     async def reply(self, target, prompt, inputs):
    ...         return Reply(prompt.user.upper())
    >>> Echo(config).generate("hello")
    'QUESTION: HELLO'
    """

    protocol: ClassVar[str | None] = None

    def __init__(
        self,
        config: ProviderModelConfigResponse,
        *,
        settings: Settings | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._config = config
        self._given = (settings, environ)
        self._means: Means | None = None
        self._require_protocol()

    @property
    def config(self) -> ProviderModelConfigResponse:
        """The model, as it was given."""
        return self._config

    def generate(
        self, prompt: str, context: str | None = None, *, timeout: float | None = None
    ) -> Generation:
        """Ask the model, and wait for its whole answer.

        Args:
            prompt: The question; the model's template is put around it, and nothing in it is evaluated.
            context: What the answer is to be found in.
            timeout: Seconds that the answer may take, more than 0; by default 600.

        Raises:
            GenerationError: The provider did not do it; `outcome` says why.
            UsageError: The prompt is no text, or the timeout not more than 0.
        """
        return _or_raise(loop.wait_for(self._answering(prompt, context, timeout)))

    async def agenerate(
        self,
        prompt: str,
        context: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it comes over one of ours
    ) -> Generation:
        """The same for coroutines; cancelling the task cancels the request."""
        return _or_raise(await loop.awaited(self._answering(prompt, context, timeout)))

    def stream(self, prompt: str, context: str | None = None, *, timeout: float | None = None) -> Stream:
        """Ask the model, and yield its answer in pieces as they come.

        Args:
            prompt: As for `generate`.
            context: As for `generate`.
            timeout: Seconds that the first piece and every further one may take; by default 60.

        Raises:
            GenerationError: While iterating: the provider did not do it, or broke off.
            UsageError: The prompt is no text, or the timeout not more than 0.
        """
        return Stream(self.begin(prompt, context, timeout))

    def astream(
        self, prompt: str, context: str | None = None, *, timeout: float | None = None
    ) -> AsyncStream:
        """The same for coroutines."""
        begin = self.begin(prompt, context, timeout)

        async def begun(put: Put) -> Future[None]:
            return begin(put)

        return AsyncStream(begun)

    def embed(self, texts: Sequence[str], *, timeout: float | None = None) -> list[list[float]]:
        """The embeddings of texts, in their order; the model's mode must be `embedding`.

        Args:
            texts: The texts, as they are: no template is put around them.
            timeout: Seconds that all may take together; by default 600.

        Raises:
            GenerationError: The provider did not do it.
            UsageError: The model is no embedding model (`wrong-mode`), or what is given are no texts.
        """
        work = self._embedding(texts, timeout)
        return [] if work is None else _vectors(loop.wait_for(work))

    async def aembed(self, texts: Sequence[str], *, timeout: float | None = None) -> list[list[float]]:  # noqa: ASYNC109 - it comes over one of ours
        """The same for coroutines."""
        work = self._embedding(texts, timeout)
        return [] if work is None else _vectors(await loop.awaited(work))

    def openai_client(self, **more: Any) -> openai.OpenAI:
        """The official SDK's client for this provider, with its key: for what is not done here.

        Args:
            more: Arguments of the client's own, such as `max_retries`; they come over ours.

        Raises:
            UsageError: The extra is not installed (`no-openai`), or the provider speaks another protocol than
                OpenAI's (`wrong-protocol`).
            GenerationError: The key is missing, or the operator does not allow its host.
        """
        from reconciler.runtime.official import client

        return client(self.config, self._called_with.line.access, more)

    def async_openai_client(self, **more: Any) -> openai.AsyncOpenAI:
        """The same for coroutines."""
        from reconciler.runtime.official import async_client

        return async_client(self.config, self._called_with.line.access, more)

    def close(self) -> None:
        """Write what was counted; connections close by themselves when nobody can call any more."""
        if self._means is not None and self._means.recorder is not None:
            self._means.recorder.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What a program's own provider replaces.

    async def reply(self, target: ProbeTarget, prompt: Prompt, inputs: Inputs) -> Reply | Verdict:
        """The model's whole reply, or the verdict that says why there is none."""
        client = await self._called_with.line.client()
        return await client.generate(target, prompt, inputs=inputs)

    async def pieces(self, target: ProbeTarget, prompt: Prompt) -> AsyncGenerator[Piece | Verdict, None]:
        """The pieces of the model's reply; a verdict comes last, where it breaks off."""
        client = await self._called_with.line.client()
        async with aclosing(client.stream(target, prompt)) as pieces:
            async for piece in pieces:
                yield piece

    def _answering(self, prompt: str, context: str | None, timeout: float | None) -> _Answer:
        target = calling.target_for(self.config, calling.WHOLE_ANSWER if timeout is None else timeout)
        words = calling.told(self.config, prompt, context)
        return answered(self, target, words, NOTHING_BESIDES, self._called_with.recorder)

    def begin(self, prompt: str, context: str | None, timeout: float | None) -> Callable[[Put], Future[None]]:
        """What asks the model and puts the pieces of its answer, in the loop of all calls; see `stream`."""
        target = calling.target_for(self.config, calling.NEXT_PIECE if timeout is None else timeout)
        words = calling.told(self.config, prompt, context)
        recorder = self._called_with.recorder
        return lambda put: loop.submit(delivered(self, target, words, put, recorder))

    def _embedding(self, texts: Sequence[str], timeout: float | None) -> _Answer | None:
        """The call for some texts; none where there are none."""
        if self.config.mode != "embedding":
            raise UsageError(
                f"{self.config.address} makes no embeddings: its mode is {self.config.mode}.",
                code="wrong-mode",
                provider=self.config.provider_name,
                model_id=self.config.model_id,
            )
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise UsageError("What is to be embedded is no list of texts.", code="bad-prompt")
        if not texts:
            return None
        target = calling.target_for(self.config, calling.WHOLE_ANSWER if timeout is None else timeout)
        given = Inputs(texts=tuple(texts))
        return answered(self, target, Prompt(""), given, self._called_with.recorder)

    @property
    def _called_with(self) -> Means:
        if self._means is None:
            self._means = means_of(*self._given)
        return self._means

    def lend(self, means: Means) -> Self:
        """Let it call with what others call with too."""
        self._means = means
        return self

    def _require_protocol(self) -> None:
        if self.protocol is None or (kind := calling.kind_of(self.config)).protocol == self.protocol:
            return
        config = self.config
        raise ProviderConfigError(
            f"{type(self).__name__} speaks {self.protocol}, and {config.address} is of the kind "
            f"{kind.name}, which speaks {kind.protocol or 'nothing'}.",
            code="wrong-provider",
            hint="ProviderFactory chooses the right class",
            provider=config.provider_name,
            model_id=config.model_id,
        )


class OpenAIProvider(LLMProvider):
    """A model of OpenAI, or of any of the servers that speak its protocol.

    >>> OpenAIProvider(config).generate("Where are the maps?").output_tokens
    5
    """

    protocol = "openai"


class AzureOpenAIProvider(LLMProvider):
    """A deployment of Azure OpenAI.

    >>> AzureOpenAIProvider(config.model_copy(update={"kind": "azure-openai"})).protocol
    'azure-openai'
    """

    protocol = "azure-openai"


class AnthropicProvider(LLMProvider):
    """A model of Anthropic.

    >>> AnthropicProvider(config.model_copy(update={"kind": "anthropic"})).protocol
    'anthropic'
    """

    protocol = "anthropic"


class WatsonxProvider(LLMProvider):
    """A model of IBM watsonx.ai.

    >>> config = service.register_provider_model("watsonx", "granite-13b", "precise")
    >>> WatsonxProvider(config).generate("Where are the maps?")
    'In the reading room.'
    """

    protocol = "watsonx"


class BedrockProvider(LLMProvider):
    """A model of Amazon Bedrock.

    >>> BedrockProvider(config.model_copy(update={"kind": "bedrock"})).protocol
    'bedrock'
    """

    protocol = "bedrock"


class VertexProvider(LLMProvider):
    """A model of Google Vertex AI.

    >>> VertexProvider(config.model_copy(update={"kind": "vertex"})).protocol
    'vertex'
    """

    protocol = "vertex"


class GeminiProvider(LLMProvider):
    """A model of the Gemini API.

    >>> GeminiProvider(config.model_copy(update={"kind": "gemini"})).protocol
    'gemini'
    """

    protocol = "gemini"


class CohereProvider(LLMProvider):
    """A model of Cohere.

    >>> CohereProvider(config.model_copy(update={"kind": "cohere"})).protocol
    'cohere'
    """

    protocol = "cohere"


class OllamaProvider(LLMProvider):
    """A model of an Ollama server.

    >>> OllamaProvider(config.model_copy(update={"kind": "ollama"})).protocol
    'ollama'
    """

    protocol = "ollama"


# By the protocol that a kind speaks.
OURS: Mapping[str, type[LLMProvider]] = {
    str(made.protocol): made
    for made in (
        *(OpenAIProvider, AzureOpenAIProvider, AnthropicProvider, WatsonxProvider, BedrockProvider),
        *(VertexProvider, GeminiProvider, CohereProvider, OllamaProvider),
    )
}


def _or_raise(found: Generation | GenerationError) -> Generation:
    if isinstance(found, GenerationError):
        raise found
    return found


def _vectors(found: Generation | GenerationError) -> list[list[float]]:
    vectors: list[list[float]] = _or_raise(found).values
    return vectors
