"""What every folder of tests may ask for: a server, an empty database, a database with our tables."""

import pytest


def pytest_configure(config):
    """Choose where the session's server will live, once for all workers."""
    if not hasattr(config, "workerinput"):
        from support import session

        session.begin()


def pytest_unconfigure(config):
    """Stop that server, if a test asked for it, when all workers have ended."""
    if not hasattr(config, "workerinput"):
        from support import session

        session.end()


@pytest.fixture(scope="session")
def server_url():
    """The address of the session's PostgreSQL server, which all workers share."""
    from support import postgres

    with postgres.session_server() as url:
        yield url


@pytest.fixture
def empty_database(server_url):
    """The address of a database with nothing in it."""
    from support import postgres

    with postgres.fresh_database(server_url) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(server_url):
    """The name of a database with our tables in it, to be copied."""
    from support import postgres

    from reconciler.store import migrate

    return postgres.migrated_template(server_url, migrate.upgrade)


@pytest.fixture
def database(server_url, migrated_template):
    """The address of a database with our tables, as the migrations made them, and no rows of anybody's."""
    from support import postgres

    with postgres.fresh_database(server_url, migrated_template) as url:
        yield url
