"""From a request to a receipt to an answer: what the handlers of everything that comes in have in common."""

from collections.abc import Callable

import flask

from dhos_connector_api.api.services import services
from dhos_connector_api.http import waiting
from dhos_connector_api.intake.arrival import Arrival, Receipt
from dhos_connector_api.intake.take import take


def taken(arrival: Arrival, answer: Callable[[Receipt], flask.Response]) -> flask.Response:
    """Take `arrival`, and return what `answer` makes of its receipt once that is committed.

    Where the request waits with others, they are committed together, and only then is the answer made:
    what is returned here is not sent. Raises what stands in the receipt as its `error`.
    """

    def answered(receipt: Receipt) -> flask.Response:
        if receipt.error is not None:
            raise receipt.error
        return answer(receipt)

    if waiting.defer(arrival, answered):
        return waiting.PLACEHOLDER
    parts = services()
    return answered(take(arrival, parts.intake(), parts.database))
