"""What behave does around features and scenarios: start the stack, and mend what a scenario broke."""

import os
import signal
from pathlib import Path
from typing import Any

from behave.model import Scenario

from driver import surroundings
from driver.connector import Connector
from driver.messages import Patient, Sender
from driver.orders import Destination, Network, Trustomer
from driver.platform import LEGACY_KEY, Platform


def before_all(context: Any) -> None:
    """Start everything on this machine, unless CONNECTOR_URL says that it runs already (Docker)."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    context.stack = None
    if "CONNECTOR_URL" not in os.environ:
        from driver.processes import LocalStack  # noqa: PLC0415  needs the package; Docker's runner has it not

        context.stack = LocalStack(Path(os.environ["INTEGRATION_STATE"]), os.environ)
        context.add_cleanup(context.stack.stop)
        os.environ.update(context.stack.start())
    around = surroundings.from_environment()
    context.around = around
    context.connector = Connector(around.connector, around)
    context.other_connector = Connector(around.other_connector, around)
    context.network = Network(around.network_control)
    context.trustomer = Trustomer(around.trustomer)
    context.destinations = {"epr": Destination(around.epr), "mirth": Destination(around.mirth)}
    context.platform = Platform(around, LEGACY_KEY)
    context.add_cleanup(context.platform.leave)


def before_scenario(context: Any, scenario: Scenario) -> None:
    """A sender and a patient of its own for every scenario, and nothing broken."""
    if context.stack is None and "local" in scenario.effective_tags:
        scenario.skip("it stops single processes, which only works without Docker")
        return
    context.sender = Sender()
    context.patient = Patient()
    context.sent = []
    context.posted = []
    context.add_cleanup(_mend, context)


def _mend(context: Any) -> None:
    for line in Network.LINES:
        context.network.restore(line)
    context.trustomer.order()
    for destination in context.destinations.values():
        destination.behave()
    if context.stack is not None:
        context.stack.relay.start()
        context.stack.deliver.start()
