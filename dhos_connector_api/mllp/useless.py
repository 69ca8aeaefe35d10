"""The entries of the listeners' file that fit, and can never match or act (pure)."""

from collections.abc import Iterable, Iterator

from dhos_connector_api.hl7v2.modes import Mode
from dhos_connector_api.mllp.terms import Listener, Sender
from dhos_connector_api.site.useless import NOT_SENT, Useless, may_be_sent, of_accepted


def useless(listeners: Iterable[Listener]) -> list[Useless]:
    """Return the entries that have no effect, by the listener's name."""
    return [each for listener in listeners for each in _of_listener(listener)]


def _of_listener(listener: Listener) -> Iterator[Useless]:
    name = f"listener {listener.name}"
    if listener.application_ack == "delivery" and listener.mode is Mode.ORIGINAL:
        yield Useless(f"{name}: application_ack", "is of enhanced mode, and the listener's mode is original")
    tls = listener.tls
    if tls is not None and tls.client_ca is None and tls.client_certificate != "required":
        yield Useless(f"{name}: tls.client_certificate", "needs tls.client_ca: none is asked for")
    for place, sender in enumerate(listener.senders):
        yield from _of_sender(f"{name}: sender.{place}", sender)


def _of_sender(name: str, sender: Sender) -> Iterator[Useless]:
    for field, given in (("application", sender.application), ("facility", sender.facility)):
        if given is not None and not may_be_sent(given):
            yield Useless(f"{name}.{field}", NOT_SENT)
    if sender.accepted is not None:
        yield from of_accepted(f"{name}.accepted", sender.accepted)
