"""Builds one document's values straight from the C parser's events: iteratively, with places, and with every
limit counted on the way, so that a hostile file ends early instead of filling the memory or the stack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

from yaml import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
    YAMLError,
)
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from reconciler.core.schema_secrets import holds_key, may_hold_key
from reconciler.source import scalars, syntax
from reconciler.source.places import FAULTS_LIMIT, Fault, Map, Seq, dotted, packed

ALIAS_LIMIT: Final = 10_000
NODE_LIMIT: Final = 1_000_000
# A table of known words spares most of the work; beyond this it would be a leak.
_WORDS_LIMIT: Final = 50_000
_MERGE: Final = "<<"


class Built(NamedTuple):
    """One document: its root, `None` where there is none; what was wrong; whether it was read to its end."""

    root: Any
    at: int
    faults: list[Fault]
    is_whole: bool


class _Anchored(NamedTuple):
    """What an alias stands for; `text` is a scalar as it was spelled, for aliases that are keys."""

    value: Any
    text: str | None
    size: int
    height: int


class _OpenAnchor(NamedTuple):
    """A container with an anchor that is not closed yet: what was counted before it."""

    name: str
    depth: int
    counted: int
    deepest: int


class _StopError(Exception):
    """The file is not read any further."""


def build(text: str, words: dict[str, Any] | None = None) -> Built:
    """Build a text's only document.

    Args:
        text: The whole file, without a byte order mark.
        words: A table of scalars already known, shared by the files of one run.
    """
    builder = _Builder(text, {} if words is None else words)
    try:
        builder.run()
    except _StopError:
        return Built(builder.root, builder.root_at, builder.faults, is_whole=False)
    except YAMLError as error:
        builder.faults.append(syntax.fault(error, text))
        return Built(builder.root, builder.root_at, builder.faults, is_whole=False)
    return Built(builder.root, builder.root_at, builder.faults, is_whole=True)


class _Builder:
    """One document being built: the open container, the key that waits for its value, and what is around."""

    def __init__(self, text: str, words: dict[str, Any]) -> None:
        self.root: Any = None
        self.root_at = 0
        self.faults: list[Fault] = []
        self._parser = CParser(text)
        self._words = words
        # Only escapes and signs of keys call for a look at every single scalar.
        self._is_watched = "\\" in text or may_hold_key(text)
        self._documents = 0
        self._parents: list[Map | Seq | None] = []
        self._node: Map | Seq | None = None
        self._key: str | None = None
        self._key_at = 0
        self._count = 0
        self._aliases = 0
        self._deepest = 0
        self._anchors: dict[str, _Anchored | None] = {}
        self._open_anchors: list[_OpenAnchor] = []
        self._merging: set[int] = set()

    def run(self) -> None:
        """Build until the stream ends; `YAMLError` where it is no YAML.

        Nearly every event is a scalar without anchor or tag: those take the short way here, with the
        builder's state in local names; all else takes the long way through the methods below.
        """
        next_event = cast("Callable[[], Any]", self._parser.get_event)
        word, unknown, is_watched, acts = self._words.get, object(), self._is_watched, self._acts()
        node, key, key_at, count, is_map = cast("Any", None), cast("Any", None), 0, 0, False
        while (event := next_event()).__class__ is not StreamEndEvent:
            if (
                event.__class__ is not ScalarEvent
                or event.anchor is not None
                or event.tag is not None
                or is_watched
                or node is None
                or count >= NODE_LIMIT
                or event.value == _MERGE
            ):
                self._key, self._key_at, self._count = key, key_at, count
                acts[event.__class__](event)
                node, key, key_at, count = self._node, self._key, self._key_at, self._count
                is_map = node.__class__ is Map
                continue
            count += 1
            text: str = event.value
            mark: Any = event.start_mark
            at = mark.line << 24 | mark.column
            if key is None and is_map:
                key, key_at = text, at
                continue
            value = word(text, unknown) if event.style == "" else text
            if value is unknown:
                self._key = key
                value = self._resolve(text, at)
            if not is_map or key in node:
                self._key, self._key_at = key, key_at
                self._put(value, at)
            else:
                node[key] = value
                node.marks += (key_at, at)
            key = None

    def _acts(self) -> dict[type[Event], Callable[[Any], None]]:
        return {
            ScalarEvent: self._scalar,
            MappingStartEvent: self._open,
            SequenceStartEvent: self._open,
            MappingEndEvent: self._close,
            SequenceEndEvent: self._close,
            AliasEvent: self._alias,
            DocumentStartEvent: self._start_document,
            DocumentEndEvent: self._pass,
            StreamStartEvent: self._pass,
        }

    def _pass(self, event: Any) -> None:
        """An event that changes nothing."""

    def _start_document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop(
                "multiple-documents",
                _at(event),
                "the file holds more than one document",
                "move what follows --- into a file of its own",
            )

    # Scalars

    def _scalar(self, event: Any) -> None:
        text = event.value
        at = _at(event)
        self._count += 1
        if self._count > NODE_LIMIT:
            self._stop_counting(at)
        if event.tag is not None:
            self._refuse_tag(event, at)
        if self._key is None and self._node.__class__ is Map:
            self._take_key(text, at, event)
            return
        if self._is_watched:
            self._watch(text, at)
        value = text
        if event.style == "":
            value = self._resolve(text, at)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, text, 1, 0)
        self._put(value, at)

    def _put(self, value: Any, at: int) -> None:
        """Place a value where the next one belongs."""
        node = self._node
        if node.__class__ is Map:
            self._put_entry(node, value, at)
        elif node is None:
            self.root, self.root_at = value, at
        else:
            node.append(value)  # type: ignore[union-attr]
            node.marks.append(at)

    def _put_entry(self, node: Map, value: Any, at: int) -> None:
        key, self._key = self._key, None
        if key in node:
            self._duplicate(node, key)
            return
        node[key] = value  # type: ignore[index]
        node.marks += (self._key_at, at)

    def _resolve(self, text: str, at: int) -> scalars.Scalar:
        try:
            value = scalars.resolve(text)
        except scalars.TooLargeError:
            hint = "write a number of at most 64 bits, or put it in quotes if it is text"
            self._fault("out-of-range", at, "the number is too large", hint)
            return None
        if len(self._words) < _WORDS_LIMIT:
            self._words[text] = value
        return value

    def _take_key(self, text: str, at: int, event: Any) -> None:
        self._key, self._key_at = text, at
        if self._is_watched:
            self._watch(text, at)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(text, text, 1, 0)
        if text == _MERGE and event.style == "":
            self._merging.add(id(self._node))

    def _watch(self, text: str, at: int) -> None:
        if "\0" in text:
            self._fault("bad-text", at, "the text holds a NUL character", "remove \\0 from it")
        if holds_key(text):
            self._fault(
                "literal-secret",
                at,
                "this looks like a secret",
                "secrets never stand in files; refer to one: env:NAME or file:/absolute/path",
            )

    # Containers

    def _open(self, event: Any) -> None:
        mark = event.start_mark
        node: Map | Seq = Map() if event.__class__ is MappingStartEvent else Seq()
        node.at, node.marks = mark.line << 24 | mark.column, []
        self._count += 1
        if self._count > NODE_LIMIT:
            self._stop_counting(node.at)
        if event.tag is not None:
            self._refuse_tag(event, node.at)
        if self._key is None and self._node.__class__ is Map:
            self._refuse_key(node.at)
        self._put(node, node.at)
        parents = self._parents
        parents.append(self._node)
        self._node = node
        if len(parents) > self._deepest:
            self._deepen(len(parents), node.at)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
            self._open_anchors.append(_OpenAnchor(event.anchor, len(parents), self._count - 1, self._deepest))
            self._deepest = len(parents)

    def _close(self, _event: Any) -> None:
        node, depth = self._node, len(self._parents)
        if self._merging and id(node) in self._merging:
            self._merging.discard(id(node))
            self._merge(node)
        if self._open_anchors and self._open_anchors[-1].depth == depth:
            opened = self._open_anchors.pop()
            height = self._deepest - depth + 1
            self._anchors[opened.name] = _Anchored(node, None, self._count - opened.counted, height)
            self._deepest = max(self._deepest, opened.deepest)
        self._node = self._parents.pop()

    def _deepen(self, depth: int, at: int) -> None:
        self._deepest = depth
        if depth > syntax.DEPTH_LIMIT:
            self._tell(syntax.too_deep(at, self._path(self._key)))
            raise _StopError

    def _merge(self, node: Map | Seq | None) -> None:
        """Fill a mapping with the entries that `<<` brings in: its own win, then those named first."""
        assert isinstance(node, Map)
        order = 2 * list(node).index(_MERGE)
        key_at = node.marks[order]
        del node.marks[order : order + 2]
        brought = node.pop(_MERGE)
        sources = brought if isinstance(brought, Seq) else [brought]
        for source in sources:
            if not isinstance(source, Map):
                self._fault(
                    "wrong-type", key_at, "<< takes a mapping or a list of mappings", "write <<: *name"
                )
                continue
            for number, (key, value) in enumerate(source.items()):
                if key not in node:
                    node[key] = value
                    node.marks += source.marks[2 * number : 2 * number + 2]

    # Aliases

    def _alias(self, event: Any) -> None:
        at = _at(event)
        anchored = self._anchors.get(event.anchor, _UNKNOWN)
        self._aliases += 1
        if self._aliases > ALIAS_LIMIT:
            self._stop("alias", at, f"the file holds more than {ALIAS_LIMIT} aliases", "write parameter sets")
        if anchored is None:
            self._fault("alias", at, f"*{event.anchor} stands inside of what it names", "remove the cycle")
            anchored = _NOTHING
        elif anchored is _UNKNOWN:
            # What begins with a star, or below with an exclamation mark, may be a pasted key: not repeated.
            hint = "write & and its name before what it names; a text that begins with * needs quotes"
            self._fault("alias", at, "this alias names nothing above it", hint)
        self._count += anchored.size
        if self._count > NODE_LIMIT:
            self._stop_counting(at)
        self._deepen(max(self._deepest, len(self._parents) + anchored.height), at)
        if self._key is None and self._node.__class__ is Map:
            if anchored.text is None:
                self._refuse_key(at)
            self._key, self._key_at = anchored.text, at
        else:
            self._put(anchored.value, at)

    # What is wrong

    def _duplicate(self, node: Map, key: str | None) -> None:
        first = node.marks[2 * list(node).index(str(key))]
        related = ((first, "it stands here first"),)
        message = f"{key} stands here twice"
        fault = Fault("duplicate-key", self._key_at, self._path(key), message, "keep one of them", related)
        self._tell(fault)

    def _refuse_key(self, at: int) -> None:
        self._stop("wrong-type", at, "a key must be text, not a mapping or a list", "write name: value")

    def _refuse_tag(self, event: Any, at: int) -> None:
        prefix, ours, name = str(event.tag).partition("tag:yaml.org,2002:")
        shown = f"such as !!{name} " if ours and not prefix else ""
        hint = "remove the tag; a text that begins with ! needs quotes"
        self._fault("tag", at, f"tags {shown}are not part of the format", hint)

    def _stop_counting(self, at: int) -> None:
        message = f"the file holds more than {NODE_LIMIT} values, counted with aliases expanded"
        self._stop("alias", at, message, "split the file, or use parameter sets instead of aliases")

    def _stop(self, code: str, at: int, message: str, hint: str) -> None:
        self._fault(code, at, message, hint)
        raise _StopError

    def _fault(self, code: str, at: int, message: str, hint: str) -> None:
        self._tell(Fault(code, at, self._path(self._key), message, hint))

    def _tell(self, fault: Fault) -> None:
        self.faults.append(fault)
        if len(self.faults) >= FAULTS_LIMIT:
            raise _StopError

    def _path(self, key: str | None) -> str:
        """The dotted path to where the builder stands."""
        path = ""
        for node in self._parents[1:]:
            # Children stand in their parents as soon as they are opened: the last entry leads here.
            if isinstance(node, Map):
                path = dotted(path, next(reversed(node), ""))
            elif node is not None:
                path = dotted(path, max(len(node) - 1, 0))
        if isinstance(self._node, Seq):
            return dotted(path, len(self._node))
        return path if key is None else dotted(path, key)


_UNKNOWN = _Anchored(None, None, 1, 0)
_NOTHING = _Anchored(None, None, 1, 0)


def _at(event: Any) -> int:
    mark = event.start_mark
    return packed(mark.line, mark.column)
