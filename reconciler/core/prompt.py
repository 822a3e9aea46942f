"""A prompt template and a question become what a model is told, by concatenation alone: nothing in a template
or in a question is formatted or evaluated. What is no single text stands beside it.
"""

from __future__ import annotations

from typing import NamedTuple

from reconciler.core.state import Spec


class Prompt(NamedTuple):
    """What a model is told: `system` is empty where there is no template or it has none."""

    user: str
    system: str = ""

    @property
    def as_one_text(self) -> str:
        """Both in one, for endpoints that take a single text."""
        return f"{self.system}\n\n{self.user}" if self.system else self.user


class Inputs(NamedTuple):
    """What a model is given besides its prompt, where that is more than one text, or no text.

    Attributes:
        texts: The texts to embed or to judge in the prompt's place, or the documents to rank by it; none
            where the prompt itself is meant.
        sound: A recording to write down, as a whole file.
        sound_name: What that file is called; its ending says what it is.
    """

    texts: tuple[str, ...] = ()
    sound: bytes | None = None
    sound_name: str = "sound.wav"


NOTHING_BESIDES = Inputs()


def prompt_of(template: Spec | None, query: str, context: str = "") -> Prompt:
    r"""The prompt of a question, with the template's words before and behind it.

    >>> template = {"system_prompt": "Be brief.", "query_prefix": "Question:", "answer_prefix": "Answer:"}
    >>> prompt_of(template, "What is 2+2?")
    Prompt(user='Question: What is 2+2?\n\nAnswer:', system='Be brief.')
    """
    words = template or {}
    parts = (
        _behind(words.get("context_prefix"), context) if context else "",
        _behind(words.get("query_prefix"), query),
        words.get("answer_prefix") or "",
    )
    return Prompt("\n\n".join(part for part in parts if part), words.get("system_prompt") or "")


def _behind(prefix: str | None, text: str) -> str:
    return f"{prefix} {text}" if prefix else text
