"""What an error of pika's says of RabbitMQ: host, port and one cause."""

from collections.abc import Iterator

from pika import exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorStackTimeout

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.metrics import BROKER_CONNECTED
from dhos_connector_api.causes import Cause, Fault, cause_of_socket
from dhos_connector_api.outages import Outage

SERVER = "RabbitMQ"
#: What this process finds of its broker.
OUTAGE = Outage(SERVER, BROKER_CONNECTED)
#: AMQP reply codes with which RabbitMQ closes a connection.
_CODES = {402: Cause.NO_VHOST, 403: Cause.LOGIN, 530: Cause.NO_VHOST, 320: Cause.STARTING}
_KINDS = (
    # Cut before a word of AMQP: with TLS 1.3 a server says only then that it does not like our certificate,
    # and so ends what speaks no TLS to a port that does.
    (exceptions.IncompatibleProtocolError, Cause.TLS),
    (exceptions.ProbableAuthenticationError, Cause.LOGIN),
    (exceptions.AuthenticationError, Cause.LOGIN),
    (exceptions.ProbableAccessDeniedError, Cause.NO_VHOST),
    ((exceptions.AMQPHeartbeatTimeout, AMQPConnectorStackTimeout), Cause.TIMED_OUT),
)


def fault_of(error: BaseException, address: BrokerAddress) -> Fault:
    """Return which server an error of pika's tells of, and why."""
    causes = [cause for each in _inside(error) if (cause := _cause(each)) is not None]
    return Fault(SERVER, address.host, address.port, causes[-1] if causes else Cause.OTHER)


def _inside(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and those it was made of, the innermost last."""
    yield error
    parts = [*error.args, getattr(error, "exception", None), getattr(error, "exceptions", None)]
    for part in parts:
        for each in part if isinstance(part, (list, tuple)) else [part]:
            if isinstance(each, BaseException) and each is not error:
                yield from _inside(each)


def _cause(error: BaseException) -> Cause | None:
    if isinstance(error, exceptions.ConnectionClosedByBroker):
        # One code for a virtual host that is not there, and for one that has all the connections it may have.
        limit = "connection limit" in error.reply_text
        return Cause.TOO_MANY if limit else _CODES.get(error.reply_code, Cause.LOST)
    for kinds, cause in _KINDS:
        if isinstance(error, kinds):
            return cause
    if isinstance(error, exceptions.StreamLostError):
        return Cause.LOST
    return cause_of_socket(error)
