"""Where every value of one file stands. Entities keep only their own place; who wants the others reads the
file again.
"""

from __future__ import annotations

from reconciler.core.problem import Place
from reconciler.source import nodes, validate
from reconciler.source.places import Fault, Map, Seq, dotted, place


def places(file: str, content: bytes) -> dict[str, Place]:
    """The place of every value by its dotted path, such as `parameters.base.temperature`; nothing where the
    file cannot be read.
    """
    faults: list[Fault] = []
    text = validate.decoded(content, faults)
    built = nodes.build(text) if text is not None else None
    if built is None or not built.is_whole:
        return {}
    found: dict[str, Place] = {}
    pending = [("", built.root)]
    while pending:
        path, node = pending.pop()
        inside = _inside(node)
        found |= {dotted(path, step): place(file, at) for step, _, at in inside}
        pending += [(dotted(path, step), value) for step, value, _ in inside]
    return found


def _inside(node: object) -> list[tuple[str | int, object, int]]:
    """What stands right below a value: its key or number, itself, and its packed place."""
    if isinstance(node, Map):
        return [(key, node[key], at) for key, at in node.value_places().items()]
    if isinstance(node, Seq):
        return [(number, value, at) for number, (value, at) in enumerate(zip(node, node.marks, strict=True))]
    return []
