"""Answers questions about a library with a model of the registry, from the passages that fit them best.

    export RECONCILER_DATABASE_URL=postgresql://…
    python rag_app.py openai gpt-4o "When is the reading room open?"

Without a question it reads them from standard input, one a line. Model, parameters and prompt template are
the registry's: change a file, apply it, and the next answer follows it.
"""

import re
import sys
from collections.abc import Iterable

from reconciler import Generator, ProviderConfigError, Registry, open_registry

PASSAGES = (
    "The reading room is open from nine to six, on Thursdays until ten.",
    "Maps and plans are kept on the second floor, beside the globes.",
    "Books are lent for four weeks; who brings them back late pays ten cents a day.",
    "New readers need a card, which the desk makes at once and for nothing.",
)


def words(text: str) -> set[str]:
    """The words of a text that say something."""
    return set(re.findall(r"\w{4,}", text.lower()))


def context_of(question: str, most: int = 2) -> str:
    """The passages that share the most words with a question."""
    asked = words(question)
    best = sorted(PASSAGES, key=lambda passage: len(asked & words(passage)), reverse=True)
    return "\n".join(best[:most])


def answer(generator: Generator, provider: str, model_id: str, question: str) -> None:
    """Print the answer as it is written."""
    with generator.stream(provider, model_id, question, context=context_of(question)) as pieces:
        for piece in pieces:
            print(piece, end="", flush=True)
    print(flush=True)


def run(registry: Registry, provider: str, model_id: str, questions: Iterable[str]) -> None:
    """Answer one question after the other; one that cannot be answered does not end the program."""
    with Generator(registry) as generator:
        for question in questions:
            try:
                answer(generator, provider, model_id, question.strip())
            except ProviderConfigError as error:
                print(f"[{error.code}] {error} {error.hint or ''}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    provider, model_id, *question = sys.argv[1:]
    with open_registry() as registry:
        run(registry, provider, model_id, [" ".join(question)] if question else sys.stdin)
