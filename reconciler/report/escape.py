"""Foreign text made harmless for where it goes. Ids, descriptions and messages come from files, databases
and providers; no terminal and no web page may take them for commands.
"""

from __future__ import annotations

import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$-])")
_COMMENT = "<!-- -->"


def printable(text: str) -> str:
    r"""Text for a terminal: control and format characters, bidirectional ones too, as their escapes.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def code_span(text: str) -> str:
    """Text as a Markdown code span: nothing in it is a link, a mention or a tag.

    >>> code_span("a<b>")
    '`a<b>`'
    """
    plain = printable(text)
    if not plain.strip():
        return "` `" if plain else ""
    fence = "`" * (_longest_run(plain) + 1)
    gap = " " if plain[0] in "` " or plain[-1] in "` " else ""
    return f"{fence}{gap}{plain}{gap}{fence}"


def cell(text: str) -> str:
    """Text as a code span in a table, where every pipe without a backslash ends the cell, in code too."""
    return code_span(text).replace("|", r"\|")


def prose(text: str) -> str:
    """Text as Markdown prose: no markup, no tag, no mention, no reference and no link comes out of it.

    >>> prose("ask @team")
    'ask @<!-- -->team'
    """
    escaped = _MARKDOWN.sub(r"\\\1", printable(text))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Pages find mentions and links in the rendered text, so entities do not stop them; an empty comment does.
    escaped = escaped.replace("@", f"@{_COMMENT}").replace("://", f":{_COMMENT}//")
    escaped = re.sub(r"(?i)(www)\.", rf"\1{_COMMENT}.", escaped)
    return re.sub(r"#(?=\w)", f"#{_COMMENT}", escaped)


def fenced(lines: list[str], language: str = "text") -> str:
    """Lines as a Markdown code block whose fence no line can close."""
    shown = [printable(line) for line in lines]
    fence = "`" * max(3, _longest_run("\n".join(shown)) + 1)
    return "\n".join((f"{fence}{language}", *shown, fence))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
