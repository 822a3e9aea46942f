"""The whole document: the entities of `reconciler.core.schemas`, users' kinds, and their JSON Schema."""

from __future__ import annotations

import inspect
import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from reconciler.core.address import DEFAULT_PARAMETERS
from reconciler.core.schema_fields import TEXT_PATTERN, Name, Url
from reconciler.core.schema_secrets import KEY_PATTERN
from reconciler.core.schemas import ParameterFields, ParameterSet, Provider, Template, TemplateFields
from reconciler.kinds.documents import KindDocument

SCHEMA_ID = "urn:llm-reconciler:providers:1"
FORMAT_VERSION = 1
_SHARED: Final = {
    "KnownKey": {
        "description": "The shape of a vendor's key: secrets never stand in files.",
        "type": "string",
        "pattern": KEY_PATTERN,
    },
    "Free": {
        "description": "JSON that is passed on as it is; null in a mapping means unset.",
        "pattern": TEXT_PATTERN,
        "not": {"$ref": "#/$defs/KnownKey"},
        "propertyNames": {"pattern": TEXT_PATTERN, "not": {"$ref": "#/$defs/KnownKey"}},
        "additionalProperties": {"$ref": "#/$defs/Free"},
        "items": {"$ref": "#/$defs/Free"},
    },
}
# Definitions whose fields another class says.
_INHERITED = {"ParameterSet": ParameterFields.__doc__ or "", "Template": TemplateFields.__doc__ or ""}
# `$` alone would let Python take a line break after the end.
_END = r"$(?![\s\S])"


def _unreserved(name: str) -> str:
    if name == DEFAULT_PARAMETERS:
        raise PydanticCustomError("bad-name", "the set 'default' is built in and empty")
    return name


def _not_built_in(name: str) -> str:
    from reconciler import kinds

    if name in kinds.names():
        raise PydanticCustomError("bad-name", "a kind of this name is built in")
    return name


SetName = Annotated[Name, AfterValidator(_unreserved)]
KindName = Annotated[Name, AfterValidator(_not_built_in)]


class OwnKind(KindDocument):
    """A kind of provider that a file defines: how to reach it, how to ask it, and which parameters it takes.

    Hosts that its credentials may be sent to are the operator's to name, not a file's.
    """

    base_url: Url | None = Field(None, description="The default endpoint.")


class Document(BaseModel):
    """One file of a configuration. All files together are one state: sets and templates may stand in any of
    them, a provider stands in one with all its models. Keys that begin with `x-` are ignored.

    Attributes:
        version: The version of the file format.
        providers: Endpoints with their models, by name.
        parameters: Parameter sets by name.
        templates: Prompt templates by name.
        kinds: Kinds of providers besides those that are built in, by name.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    version: Literal[1]
    providers: dict[Name, Provider] | None = None
    parameters: dict[SetName, ParameterSet] | None = None
    templates: dict[Name, Template] | None = None
    kinds: dict[KindName, OwnKind] | None = None


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one file.

    It sees YAML through JSON's types, so it cannot tell `100.0` from `100`, nor follow references.
    """
    from reconciler import kinds

    schema = Document.model_json_schema()
    for name, definition in (("Document", schema), *schema["$defs"].items()):
        _describe(definition, _INHERITED.get(name, ""))
    _tighten(schema)
    schema["patternProperties"] = {"^x-": True}
    _reserve(schema["properties"]["parameters"], [DEFAULT_PARAMETERS])
    _reserve(schema["properties"]["kinds"], list(kinds.names()))
    sets = schema["$defs"]["ParameterSet"]["properties"]
    for form in (*sets["extra"]["anyOf"], *sets["response_format"]["anyOf"]):
        if form.get("type") == "object":
            form["additionalProperties"] = {"$ref": "#/$defs/Free"}
    schema["$defs"] |= _SHARED
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def _reserve(section: dict[str, Any], names: list[str]) -> None:
    keys = section["anyOf"][0]["propertyNames"]
    keys["not"] = {"anyOf": [{"enum": names}, keys["not"]]}


def _describe(definition: dict[str, Any], inherited: str) -> None:
    """Descriptions from docstrings: the class's text, and its own and its base's `Attributes`."""
    definition.pop("title", None)
    text, _, attributes = definition.get("description", "").partition("\n\nAttributes:\n")
    if text:
        definition["description"] = " ".join(text.split())
    _, _, of_base = inspect.cleandoc(inherited).partition("\n\nAttributes:\n")
    told = dict(re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", f"{of_base}\n{attributes}", re.MULTILINE))
    for field, schema in definition.get("properties", {}).items():
        schema.pop("title", None)
        schema.pop("default", None)
        if field in told:
            schema["description"] = " ".join(told[field].split())


def _tighten(node: Any) -> None:
    """Say everything that pydantic holds but does not write down, below one node."""
    if isinstance(node, list):
        for item in node:
            _tighten(item)
        return
    if not isinstance(node, dict):
        return
    for item in node.values():
        _tighten(item)
    pattern = node.get("pattern")
    if isinstance(pattern, str) and pattern.endswith("$"):
        node["pattern"] = pattern[:-1] + _END
    if node.get("type") == "object" and "patternProperties" in node:
        _name_keys(node)
    if node.get("type") == "string" and not {"enum", "const"} & node.keys():
        _refuse_keys(node)


def _name_keys(node: dict[str, Any]) -> None:
    """A mapping whose keys must match: said by `propertyNames`, so that no other key passes."""
    ((pattern, values),) = node.pop("patternProperties").items()
    pattern = pattern[:-1] + _END if pattern.endswith("$") else pattern
    node["propertyNames"] = {**node.get("propertyNames", {}), "type": "string", "pattern": pattern}
    _refuse_keys(node["propertyNames"])
    node["additionalProperties"] = values


def _refuse_keys(node: dict[str, Any]) -> None:
    refused = {"$ref": "#/$defs/KnownKey"}
    node["not"] = {"anyOf": [node["not"], refused]} if "not" in node else refused
