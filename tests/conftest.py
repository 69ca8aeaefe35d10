"""What holds for every test: how examples are made, what is slow and runs in one place, what a skip is."""

import gc
import os

import pytest
from connexion.spec import Specification
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests.rigs import one_specification

pytest_plugins = ["tests.rigs.broker_fixtures", "tests.rigs.own_postgres", "tests.rigs.shared_postgres"]

# How fast examples are made says how busy the machine is, and nothing of the code.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")
one_specification.install(Specification)

#: Set in CI, where everything a test needs has to be there.
NO_SKIPS = bool(os.environ.get("CONNECTOR_NO_SKIPS"))
#: Who starts a server of its own is slow.
_OWN_SERVERS = {"own_rabbitmq", "own_postgres"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server of its own; those with a RabbitMQ share it, so one worker runs them all."""
    for item in items:
        needs = _OWN_SERVERS.intersection(getattr(item, "fixturenames", ()))
        if needs:
            item.add_marker(pytest.mark.slow)
        if "own_rabbitmq" in needs:
            item.add_marker(pytest.mark.xdist_group("own_rabbitmq"))


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of garbage collections: it stays, and there is much of it."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if NO_SKIPS and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("a test was skipped, and CONNECTOR_NO_SKIPS does not allow it", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
