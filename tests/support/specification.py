"""The specification that the registry serves, kept word for word in `specification.md`, and its code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).with_suffix(".md")
# The document's last block ends with the document.
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)(?:^```$|\Z)", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


class Code(NamedTuple):
    """A block of code: its language, the section and the heading that it stands under, and its text."""

    language: str
    section: str
    heading: str
    text: str


def codes(language: str, section: str | None = None) -> list[Code]:
    """The blocks of one language in the document's order; those of one section where one is named."""
    page = PAGE.read_text(encoding="utf-8")
    found = []
    for block in _BLOCK.finditer(page):
        before = page[: block.start()]
        place, heading = _SECTION.findall(before)[-1], _HEADING.findall(before)[-1]
        found.append(Code(block["language"], place, heading, block["text"]))
    return [one for one in found if one.language == language and section in {None, one.section}]
