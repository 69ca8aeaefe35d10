"""`send`: a test client that sends HL7 v2 files over HTTP or MLLP and shows what they were answered."""

from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from pathlib import Path

import click

from dhos_connector_api import clock
from dhos_connector_api.cli.sending import (
    TIMEOUT,
    http_client,
    mllp_options,
    send_over_http,
    send_over_mllp,
    summed_up,
    telling,
    until_acknowledged_option,
)
from dhos_connector_api.deliveries.transports.mllp_line import Receiver
from dhos_connector_api.hl7v2.build import with_header_fields
from dhos_connector_api.hl7v2.files import split_messages
from dhos_connector_api.simulate.mllp_client import Plan

#: From so many messages on `send` shows progress, and of the answers only those that took none.
_MANY = 20


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--url", help="Where the Connector is.  [default: http://127.0.0.1:SERVER_PORT]")
@click.option("--token", help="Bearer token.  [default: one made with HS_KEY]")
@click.option("--raw", is_flag=True, help="Post as application/hl7-v2 instead of JSON.")
@mllp_options
@click.option("--count", type=click.IntRange(1), help="Send so many, from the first again when they run out.")
@click.option("--new-ids", is_flag=True, help="Give each a control id of its own: none is a repeat.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="At most so many a second.")
@click.option("--concurrency", type=click.IntRange(1, 10_000), help="So many connections at once (MLLP).")
@click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), help="Seconds to wait for an answer (MLLP)."
)
@until_acknowledged_option
def send(
    files: Sequence[Path],
    url: str | None,
    token: str | None,
    raw: bool,
    receiver: Receiver | None,
    count: int | None,
    new_ids: bool,
    rate: float | None,
    concurrency: int | None,
    timeout: float | None,
    until_acknowledged: bool,
) -> None:
    """Send every HL7 v2 message in FILES and show each acknowledgement.

    Over HTTP to a Connector, or over MLLP to anybody. A file may hold several messages, one after the
    other. Ends with status 1 unless all were taken (AA, CA). With one connection their order is kept.
    """
    if receiver is None and (concurrency or timeout or until_acknowledged):
        raise click.UsageError("--concurrency, --timeout and --until-acknowledged go with --mllp")
    if receiver is not None and (url or token or raw):
        raise click.UsageError("--url, --token and --raw do not go with --mllp")
    found = [message for file in files for message in split_messages(file.read_bytes())]
    number = count or len(found)
    messages: Iterable[bytes] = islice(cycle(found), number)
    if new_ids:
        messages = map(_with_new_id, messages)
    many = number >= _MANY
    with (
        summed_up(timed=receiver is not None) as summary,
        click.progressbar(length=number, label="sending", hidden=not many) as progress,
    ):
        on_answer = telling(summary, each=not many, also=progress.update)
        if receiver is None:
            send_over_http(messages, http_client(url, token, raw=raw), on_answer, rate=rate)
        else:
            plan = Plan(concurrency or 1, rate, timeout or TIMEOUT, until_acknowledged)
            send_over_mllp(messages, receiver, plan, on_answer)


def _with_new_id(message: bytes) -> bytes:
    if not message.startswith(b"MSH"):
        return message
    text = message.decode("latin-1")  # byte by byte: MSH may be in any character set that holds ASCII
    control_id = clock.new_uuid(clock.now()).hex[12:]
    return with_header_fields(text, {10: control_id}).encode("latin-1")
