"""The table classes as a program uses them: what they write, read, and learn from the triggers."""

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from reconciler.store.session import sqlalchemy_url
from reconciler.store.tables import (
    AuditEvent,
    LLMParameters,
    ManagedEntity,
    ModelVerification,
    PromptTemplate,
    Provider,
    ProviderModelConfig,
)


@pytest.fixture
def session(database):
    engine = create_engine(sqlalchemy_url(database))
    with Session(engine) as session:
        yield session
    engine.dispose()


def granite(**values):
    return ProviderModelConfig(
        provider_name="watsonx",
        model_id="granite-13b",
        parameters=LLMParameters(name="watsonx_granite_params", max_new_tokens=100, temperature=0.7),
        prompt_template=PromptTemplate(name="watsonx_default", provider="watsonx", query_prefix="Question:"),
        **values,
    )


def test_a_model_comes_with_its_parameters_and_its_template(session):
    session.add(granite(labels={"team": "rag"}, limits={"context": 8192}, capabilities=["tools"]))
    session.commit()
    session.expunge_all()
    found = session.scalars(select(ProviderModelConfig)).one()
    session.expunge_all()
    assert (found.parameters.temperature, found.parameters.labels) == (0.7, {})
    assert found.prompt_template is not None
    assert found.prompt_template.query_prefix == "Question:"
    assert (found.labels, found.limits, found.capabilities) == ({"team": "rag"}, {"context": 8192}, ["tools"])
    assert (found.is_active, found.mode, found.hold, found.generation) == (True, "chat", None, 1)


def test_a_model_without_a_template_is_found_too(session):
    model = granite()
    model.prompt_template = None
    session.add(model)
    session.commit()
    assert session.scalars(select(ProviderModelConfig)).one().prompt_template is None


def test_what_is_unset_is_null_and_not_the_null_of_json(session):
    session.add(Provider(name="openai", kind="openai", kind_spec=None, credentials=None))
    session.add(granite(limits=None))
    session.flush()
    unset = text(
        "SELECT p.kind_spec IS NULL AND p.credentials IS NULL AND m.limits IS NULL"
        " FROM providers p, provider_model_configs m"
    )
    assert session.scalar(unset) is True


def test_a_cleared_hold_and_the_new_time_are_seen_after_a_change(session):
    model = granite(is_active=False, hold="pending")
    session.add(model)
    session.commit()
    before = model.updated_at
    model.is_active = True
    session.commit()
    assert model.hold is None
    assert model.updated_at > before


def test_deleting_a_parameter_set_deletes_its_models_and_their_verification(session):
    model = granite()
    session.add(model)
    session.flush()
    session.add(ModelVerification(model_id=model.id))
    session.commit()
    session.delete(session.scalars(select(LLMParameters).filter_by(name="watsonx_granite_params")).one())
    session.commit()
    assert session.scalars(select(ProviderModelConfig)).all() == []
    assert session.scalars(select(ModelVerification)).all() == []


def test_the_trail_is_written_for_them_too(session):
    session.add(Provider(name="openai", kind="openai"))
    session.commit()
    event = session.scalars(select(AuditEvent).filter_by(address="provider:openai")).one()
    assert (event.action, event.before, event.run) == ("insert", None, None)
    assert event.after is not None
    assert event.after["kind"] == "openai"


def test_an_owned_entity_keeps_what_was_applied_to_it(session):
    spec = {"temperature": 0.7, "extra": {"a": [1, None]}}
    session.add(
        ManagedEntity(
            kind="parameters",
            key="base",
            source="default",
            spec=spec,
            active=True,
            file="base.yaml",
            line=3,
        )
    )
    session.commit()
    session.expunge_all()
    found = session.scalars(select(ManagedEntity)).one()
    assert (found.spec, found.forgotten) == (spec, False)
