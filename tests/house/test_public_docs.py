"""What applications import tells how it is used: every name has an example, and so has every call."""

import inspect

import pytest

import reconciler

# A text and nothing that could hold a docstring.
NAMES = [name for name in reconciler.__all__ if name != "__version__"]
CALLED = (
    "ProviderConfigService",
    "Registry",
    "AsyncProviderConfigReader",
    "Generator",
    "ProviderFactory",
    "LLMProvider",
    "Stream",
    "AsyncStream",
)


def own_docstring(thing):
    """What stands in the thing itself; a class inherits no words."""
    return (vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__) or ""


def members(name):
    """The public calls and properties of a class, by name."""
    found = inspect.getmembers(
        getattr(reconciler, name), lambda one: callable(one) or isinstance(one, property)
    )
    return {member: one for member, one in found if not member.startswith("_")}


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_shows_how_it_is_used(name):
    assert ">>> " in own_docstring(getattr(reconciler, name))


@pytest.mark.parametrize("name", CALLED)
def test_every_call_says_what_it_is_for(name):
    assert [member for member, one in members(name).items() if not (one.__doc__ or "").strip()] == []


def test_every_call_of_the_service_shows_how_it_is_used():
    calls = members("ProviderConfigService")
    # What is said once of a call counts for the same of many.
    many = {name for name in calls if f"{name}s" not in calls and name.endswith("s")}
    shown = {name for name, call in calls.items() if ">>> " in call.__doc__}
    assert sorted(calls.keys() - shown - many) == ["through"]
    assert len(shown) > 20


def test_every_argument_of_the_service_is_explained():
    unexplained = {}
    for name, call in members("ProviderConfigService").items():
        words = call.__doc__
        asked = [one for one in inspect.signature(call).parameters.values() if one.name != "self"]
        if "Args:" in words:
            unexplained[name] = [one.name for one in asked if f"{one.name}: " not in words]
    assert {name: missing for name, missing in unexplained.items() if missing} == {}
    assert len(unexplained) > 5
