"""The README as a reader uses it: its code blocks, the commands in them and what they are said to print."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import NamedTuple

from support import checkout

BLOCK = re.compile(r"^```(?P<language>\w+)(?P<remark>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
STATUS = re.compile(r"\s+# exits with (\d)$")


class Block(NamedTuple):
    """A fenced block: its language, the words after it, its text, and the line that it opens on."""

    language: str
    remark: str
    text: str
    line: int


class Example(NamedTuple):
    """A command with the exit status and the output that a page promises; `...` stands for anything."""

    command: str
    status: int
    output: str
    place: str

    def is_told_truly(self, output: str) -> bool:
        """Whether an output is the one that is promised, however wide its columns are."""
        lenient = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        return doctest.OutputChecker().check_output(self.output, output, lenient)


def blocks(page: str, language: str) -> list[Block]:
    """The fenced blocks of one language in a page."""
    text = checkout.text_of(page)
    return [
        Block(
            found["language"], found["remark"].strip(), found["text"], text.count("\n", 0, found.start()) + 1
        )
        for found in BLOCK.finditer(text)
        if found["language"] == language
    ]


def examples(page: str) -> list[Example]:
    """The commands of a page's `console` blocks, in order."""
    return [
        example
        for block in blocks(page, "console")
        for example in _examples_of(block, f"{page}:{block.line}")
    ]


def _examples_of(block: Block, place: str) -> list[Example]:
    _, *said = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    found = []
    for one in said:
        command, _, output = one.partition("\n")
        status = STATUS.search(command)
        found.append(Example(STATUS.sub("", command), int(status[1]) if status else 0, output, place))
    return found


def install_commands(page: str = "README.md") -> list[str]:
    """The lines that a newcomer copies: each makes an environment and does something with it."""
    return re.findall(r"^python3 -m venv .*$", checkout.text_of(page), re.MULTILINE)


def pages() -> list[str]:
    """The pages whose examples are tried."""
    return [name for name in checkout.files() if name.endswith(".md") and Path(name).parts[0] != "tests"]
