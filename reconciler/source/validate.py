"""From a file's bytes to a valid document. What is wrong in one field costs that field only: it is told and
taken out, so that everything else is still checked in the same run.
"""

from __future__ import annotations

from typing import Final, cast

from pydantic import ValidationError

from reconciler.source import syntax, translate
from reconciler.source.places import FAULTS_LIMIT, Fault, Map, packed
from reconciler.source.resolve import MISSING_KIND
from reconciler.source.schema import FORMAT_VERSION, Document

# Beyond this, even listing what is wrong would fill the memory.
_UNTOLD_LIMIT: Final = 50_000
# Mending takes one round; what a mended field uncovers takes another.
_ROUNDS: Final = 5
_WIDE_MARKS: Final = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def decoded(content: bytes, faults: list[Fault]) -> str | None:
    """A file's text, without its byte order mark; `None` where it is none, which is told."""
    hint = "save the file as UTF-8"
    for mark, encoding in _WIDE_MARKS.items():
        if content.startswith(mark):
            faults.append(Fault("encoding", 0, "", f"the file is {encoding}, not UTF-8", hint))
            return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        at = packed(before.count("\n"), len(before) - before.rfind("\n") - 1)
        faults.append(Fault("encoding", at, "", "the file is not UTF-8: a byte here is no character", hint))
        return None
    if "\0" in text:
        faults.append(syntax.nul(text))
        return None
    return text


def has_version(root: Map, faults: list[Fault]) -> bool:
    """Whether the file is of a format that can be read on; says so if it is not."""
    version = root.get("version")
    at = root.value_places().get("version", root.at)
    first = f"write version: {FORMAT_VERSION} at the top"
    if version is None:
        faults.append(Fault("missing-field", at, "version", "version is missing", first))
        root["version"] = FORMAT_VERSION
        if len(root.marks) < 2 * len(root):
            root.marks += (at, at)
    elif isinstance(version, bool) or not isinstance(version, int):
        faults.append(Fault("wrong-type", at, "version", "version must be a whole number", first))
        root["version"] = FORMAT_VERSION
    elif version != FORMAT_VERSION:
        message = f"this is version {version} of the format; only version {FORMAT_VERSION} is known"
        faults.append(
            Fault("unsupported-version", at, "version", message, f"write version: {FORMAT_VERSION}")
        )
        return False
    return True


def validated(faults: list[Fault], root: Map) -> Document | None:
    """The document without what is wrong in it; `None` where it cannot be mended."""
    known = {fault.at for fault in faults}
    _prune(root, [(name,) for name in root if name.startswith("x-")])
    for round_ in range(_ROUNDS):
        try:
            return Document.model_validate(root)
        except ValidationError as error:
            if error.error_count() > _UNTOLD_LIMIT:
                faults.append(_more(error.error_count(), root.at))
                return None
            found = translate.findings(error, root, Document)
            if round_ == 0:
                faults.extend(one.fault for one in found[:FAULTS_LIMIT] if one.fault.at not in known)
            if len(found) > FAULTS_LIMIT:
                faults.append(_more(len(found) - FAULTS_LIMIT, found[FAULTS_LIMIT].fault.at))
                return None
            _mend(root, found)
    return None


def _more(count: int, at: int) -> Fault:
    message = f"the file has {count} more errors like these" if at else f"the file has {count} errors"
    return Fault("unknown-field", at, "", message, "mend these first; or is this no file of this format?")


def _mend(root: Map, found: list[translate.Finding]) -> None:
    """Take out what is wrong; where something is missing, a stand-in or the whole entity."""
    for one in found:
        if one.is_missing and one.steps[0] == "providers" and one.steps[2:] == ("kind",):
            provider = root["providers"].get(one.steps[1])
            if isinstance(provider, Map) and "kind" not in provider:
                provider["kind"] = MISSING_KIND
                provider.marks += (provider.at, provider.at)
    _prune(root, [one.steps[:2] if one.is_missing else one.steps for one in found if not _is_kind(one)])


def _is_kind(one: translate.Finding) -> bool:
    return one.is_missing and one.steps[0] == "providers"


def _prune(root: Map, targets: list[tuple[str | int, ...]]) -> None:
    """Remove entries; of a list that holds something wrong, the whole list."""
    for steps in targets:
        holder: Map | None = None
        key, node = "", cast("object", root)
        for step in steps:
            if not isinstance(node, Map):
                break
            if step in node:
                holder, key, node = node, str(step), node[str(step)]
            elif step not in translate.TAGS:
                # It went with something that was removed before.
                holder = None
                break
        if holder is not None:
            order = 2 * list(holder).index(key)
            del holder.marks[order : order + 2]
            del holder[key]
