"""What a model answered: a text that knows where it came from and what it cost. Apart from the calls, so that
it can be stored, copied and sent to another process without them.
"""

from __future__ import annotations

from typing import Any, Self


class Generation(str):
    """The text of an answer: it prints, compares and is stored as such. It does not change.

    Attributes:
        text: The text as a plain `str`; empty where the answer is none.
        provider: The provider that was asked.
        model_id: The model that was asked.
        model: The model that answered, in the provider's word, where it said so.
        finish_reason: Why the answer ended, in the provider's word, such as `stop` or `length`.
        input_tokens: What the request cost, where the provider said so.
        output_tokens: What the answer cost, where the provider said so.
        latency_ms: Milliseconds from the call to the answer's end.
        values: What is no text: embeddings (a list of numbers for each text), ranks, judgements, pictures, or
            a sound (bytes); `None` where the answer is a text.

    >>> answer = Generation("In the reading room.", provider="openai", model_id="gpt-4o", output_tokens=5)
    >>> answer.upper(), answer.output_tokens
    ('IN THE READING ROOM.', 5)
    """

    __slots__ = (
        *("provider", "model_id", "model", "finish_reason", "input_tokens", "output_tokens"),
        *("latency_ms", "values"),
    )

    provider: str
    model_id: str
    model: str | None
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    latency_ms: int
    values: Any

    def __new__(  # noqa: D102 - the class says it
        cls,
        text: str,
        *,
        provider: str = "",
        model_id: str = "",
        model: str | None = None,
        finish_reason: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        latency_ms: int = 0,
        values: Any = None,
    ) -> Self:
        made = super().__new__(cls, text)
        given = (provider, model_id, model, finish_reason, input_tokens, output_tokens, latency_ms, values)
        for name, value in zip(cls.__slots__, given, strict=True):
            object.__setattr__(made, name, value)
        return made

    @property
    def text(self) -> str:
        """The text as a plain `str`."""
        return str.__str__(self)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an answer does not change, so its {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {name: getattr(self, name) for name in self.__slots__}
        return _made_again, (type(self), self.text, facts)


def _made_again(schema: type[Generation], text: str, facts: dict[str, Any]) -> Generation:
    return schema(text, **facts)
