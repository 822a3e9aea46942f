"""What files own is used by programs and never edited by them; what programs own, files never touch."""

import psycopg
import pytest
from support import services
from support.registry_dump import entities
from support.small_states import model, parameters, planned, provider, run, state, template

from reconciler.core.address import Address, model_address
from reconciler.errors import OwnershipError, StatusError
from reconciler.store.session import connect

FILES = state(
    provider("openai", base_url="https://files.example"),
    parameters("base", temperature=0.5),
    template("qa", system_prompt="Be kind."),
    model("openai/files", parameters="base", prompt_template="qa", version="1"),
)


@pytest.fixture(params=services.DOORS)
def service(request, database):
    with connect(database) as connection:
        run(connection, FILES)
    with services.opened(database, request.param) as opened:
        yield opened


CALLS = {
    "registers the model": lambda s: s.register_provider_model("openai", "files", version="2", verify=False),
    "registers it with another set": lambda s: s.register_provider_model("openai", "files", "default"),
    "updates it": lambda s: s.update_provider_model("openai", "files", {"version": "2"}),
    "deactivates it": lambda s: s.deactivate_provider_model("openai", "files"),
    "registers its set": lambda s: s.register_parameters({"name": "base", "temperature": 0.6}),
    "registers a model with its set": lambda s: s.register_provider_model(
        "openai", "own", {"name": "base", "temperature": 0.6}
    ),
    "updates its set": lambda s: s.update_parameters("base", {"top_k": 5}),
    "updates its template": lambda s: s.update_prompt_template("qa", {"system_prompt": "Be quick."}),
    "moves its provider": lambda s: s.register_provider_model("openai", "own", base_url="https://x.example"),
    "updates its provider": lambda s: s.update_provider("openai", {"description": "x"}),
    "deactivates its provider": lambda s: s.deactivate_provider("openai"),
}
PLACES = {"openai": 1, "base": 2, "qa": 3, "files": 4}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_program_that_would_edit_what_files_own_hears_where_it_stands(service, database, call):
    with psycopg.connect(database) as connection:
        before = entities(connection), services.generation(connection)
    with pytest.raises(OwnershipError) as raised:
        call(service)
    error = raised.value
    assert (error.source, error.file, error.code, error.exit_status) == (
        "default",
        "registry.yaml",
        "managed-by-files",
        3,
    )
    assert f"registry.yaml:{error.line} owns " in str(error)
    assert "change it there" in str(error)
    with psycopg.connect(database) as connection:
        assert (entities(connection), services.generation(connection)) == before


@pytest.mark.parametrize(
    ("call", "line", "names"),
    [
        pytest.param("updates it", 4, ("openai", "files"), id="a model"),
        pytest.param("updates its provider", 1, ("openai", None), id="a provider"),
        pytest.param("updates its set", 2, (None, None), id="a set"),
    ],
)
def test_the_error_names_the_place_and_whom_it_is_about(service, call, line, names):
    with pytest.raises(OwnershipError) as raised:
        CALLS[call](service)
    assert (raised.value.line, (raised.value.provider, raised.value.model_id)) == (line, names)


def test_a_model_can_be_overridden_for_a_time_and_the_error_says_so(service):
    with pytest.raises(OwnershipError, match="override it for a time with override_provider_model"):
        service.deactivate_provider_model("openai", "files")


def test_a_batch_with_one_row_of_the_files_writes_none(service):
    with pytest.raises(OwnershipError):
        service.register_provider_models(
            [
                {"provider_name": "openai", "model_id": "own"},
                {"provider_name": "openai", "model_id": "files", "version": "9"},
            ]
        )
    assert service.get_provider_model("openai", "own") is None


def test_what_is_stored_with_equal_values_is_no_edit(service):
    found = service.register_provider_model(
        "openai",
        "files",
        {"name": "base", "temperature": 0.5},
        {"name": "qa", "system_prompt": "Be kind."},
        base_url="https://files.example",
        version="1",
        verify=False,
    )
    assert (found.managed_by, found.is_active) == ("default", True)


def test_a_model_of_a_program_uses_what_files_own(service):
    found = service.register_provider_model("openai", "own", "base", "qa", verify=False)
    assert (found.managed_by, found.parameters.managed_by, found.prompt_template.managed_by) == (
        None,
        "default",
        "default",
    )


def test_a_set_of_a_program_is_in_use_by_a_model_of_the_files(database):
    with services.through_engine(database) as service:
        service.register_parameters({"name": "shared", "top_p": 0.5})
        with connect(database) as connection:
            run(connection, state(provider("openai"), model("openai/files", parameters="shared")))
        with pytest.raises(StatusError, match="model:openai/files still uses it"):
            service.deactivate_parameters("shared")
        told = service.update_parameters("shared", {"top_p": 0.6}).notices
        assert "model:openai/files" in told[0]


def test_a_row_that_is_gone_is_still_its_files(database):
    with connect(database) as connection:
        run(connection, FILES)
        connection.execute("DELETE FROM provider_model_configs")
    with services.through_engine(database) as service, pytest.raises(OwnershipError):
        service.register_provider_model("openai", "files", version="2", verify=False)


def test_an_apply_leaves_alone_what_programs_registered(database):
    with services.through_engine(database) as service, connect(database) as connection:
        run(connection, FILES)
        service.register_provider_model("openai", "own", {"name": "mine", "top_p": 0.5}, verify=False)
        service.register_provider_model("acme", "own", activation="immediate", verify=False)
        before = entities(connection)
        assert planned(connection, FILES).changes == ()
        run(connection, state(provider("openai", description="new"), *list(FILES.entities.values())[1:]))
        after = entities(connection)
        for address in (
            model_address("openai", "own"),
            Address("parameters", "mine"),
            model_address("acme", "own"),
        ):
            assert after[address] == before[address]
