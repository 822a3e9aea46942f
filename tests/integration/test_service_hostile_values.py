"""What a program may hand to the service by mistake: nothing of it is stored that cannot be read again,
erased or shown that was meant to stay.
"""

from datetime import timedelta
from decimal import Decimal

import pytest
from support.rows import insert

from reconciler import open_service
from reconciler.errors import ParameterValidationError, ProviderConfigError
from reconciler.store.session import connect

CIRCLE = []
CIRCLE.append(CIRCLE)
DEEP = {}
for _ in range(400):
    DEEP = {"a": DEEP}
KEY = "sk-" + "0123456789abcdefghijklmn"


@pytest.fixture
def service(database):
    with open_service(database) as opened:
        opened.register_provider_model("acme", "m", base_url="http://127.0.0.1:1/v1", verify=False)
        yield opened


@pytest.mark.parametrize(
    "value",
    [
        *({"x": 10**5000}, {"x": -(10**309)}, {"x": float("inf")}, {1: 2}, {None: 1}, {True: 2}, DEEP),
        *({"a": CIRCLE}, {"a": object()}, {"a": {1, 2}}, {"a": b"x"}, {"a": Decimal(1)}, {"a": "\0"}),
        *({"a": "\ud800"}, {"\ud800": 1}, {"a": [{"b\0": 1}]}),
    ],
    ids=range(16),
)
def test_what_is_no_json_that_can_be_read_again_is_refused(service, value):
    for attempt in (
        lambda: service.register_parameters({"name": "new", "extra": value}),
        lambda: service.register_parameters({"name": "new", "response_format": value}),
        lambda: service.override_provider_model(
            "acme", "m", {"parameters": {"extra": value}}, until=timedelta(hours=1), reason="a test"
        ),
    ):
        with pytest.raises(ParameterValidationError) as caught:
            attempt()
        assert "Traceback" not in str(caught.value)
    assert service.get_parameters("new") is None


def test_the_largest_numbers_come_back(service):
    largest = {"x": 10**309 - 1, "y": 17976931348623157 * 10**292, "z": [-(2**63)]}
    assert service.register_parameters({"name": "new", "extra": largest}).values["extra"] == largest
    assert service.get_parameters("new").values["extra"] == largest


def test_credentials_that_say_nothing_leave_what_is_stored(service):
    service.register_provider_model("acme", "m", credentials={"api_key": "env:ACME_API_KEY"}, verify=False)
    for nothing in ({}, {"api_key": None}, None):
        made = service.register_provider_model("acme", "m", credentials=nothing, verify=False)
        assert made.credentials == {"api_key": "env:ACME_API_KEY"}


def test_a_key_that_a_hand_has_pasted_is_masked_in_the_answer_to_registering(service, database):
    with connect(database) as connection:
        insert(
            connection,
            "providers",
            name="pasted",
            kind="openai",
            credentials=f'{{"api_key": "{KEY}"}}',
        )
    made = service.register_provider_models([{"provider_name": "pasted", "model_id": "m"}], verify=False)
    assert made[0].credentials == service.get_provider_model("pasted", "m").credentials == {"api_key": "***"}
    assert KEY not in repr(made)


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "nonsense"},
        {"kind": "anthropic", "credentials": {"bogus": "env:X"}},
        {"verification": {"probe": "none", "activation": "verified"}},
    ],
    ids=["no-kind", "no-credential", "never-active"],
)
def test_switching_off_lets_nothing_else_through(service, more):
    before = service.get_provider("acme")
    for active in ({}, {"is_active": False}):
        with pytest.raises(ProviderConfigError):
            service.update_provider("acme", {**more, **active})
    assert service.get_provider("acme") == before
    assert not service.deactivate_provider("acme").is_active
