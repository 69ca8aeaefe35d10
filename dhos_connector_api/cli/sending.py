"""Sending messages from commands: where they go (MLLP, or HTTP), how they are sent and summed up."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
import uvloop

from dhos_connector_api import clock
from dhos_connector_api.app import configuration, tokens
from dhos_connector_api.deliveries.transports.mllp_line import Receiver, tls_context
from dhos_connector_api.http.settings import HttpSettings
from dhos_connector_api.simulate import mllp_client
from dhos_connector_api.simulate.answers import Answer, Summary
from dhos_connector_api.simulate.http_client import HttpClient
from dhos_connector_api.simulate.mllp_client import Plan

R = TypeVar("R")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PORT = click.IntRange(1, 65535)
_COLOURS = {"AA": "green", "CA": "green", "AE": "yellow", "CE": "yellow"}
#: Seconds a message waits for its acknowledgement.
TIMEOUT = 30.0

#: For the commands that send over MLLP.
until_acknowledged_option = click.option(
    "--until-acknowledged", is_flag=True, help="Send what got no answer again, until it does (MLLP)."
)


class _Address(click.ParamType[tuple[str, int]]):
    """HOST:PORT."""

    name = "host:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        host, _, port = str(value).rpartition(":")
        if not host or not (port.isascii() and port.isdigit()):
            self.fail("must be HOST:PORT", param, ctx)
        return host.strip("[]"), _PORT.convert(int(port), param, ctx)


def mllp_options(command: Callable[..., R]) -> Callable[..., R]:
    """The options that name an MLLP receiver; the command gets it as `receiver`, None without `--mllp`."""

    @click.option("--mllp", type=_Address(), help="Send over MLLP to HOST:PORT.")
    @click.option("--tls", is_flag=True, help="With TLS; the certificate has to name HOST.")
    @click.option("--ca", type=_FILE, help="Authorities for it; implies --tls.  [default: this machine's]")
    @click.option("--certificate", type=_FILE, help="Our own certificate; implies --tls.")
    @click.option("--key", type=_FILE, help="That certificate's key.")
    @wraps(command)
    def run(
        mllp: tuple[str, int] | None,
        tls: bool,
        ca: Path | None,
        certificate: Path | None,
        key: Path | None,
        **options: Any,
    ) -> R:
        wants_tls = bool(tls or ca or certificate or key)
        if mllp is None and wants_tls:
            raise click.UsageError("--tls, --ca, --certificate and --key go with --mllp")
        if bool(certificate) != bool(key):
            raise click.UsageError("--certificate and --key go together")
        context = tls_context(ca, certificate, key) if wants_tls else None
        return command(receiver=Receiver(*mllp, context) if mllp else None, **options)

    return run


def send_over_mllp(
    messages: Iterable[bytes], receiver: Receiver, plan: Plan, on_answer: Callable[[Answer], None]
) -> None:
    """Send every message; a receiver that is not there is one line."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(mllp_client.send_all(messages, receiver, plan, on_answer))
    except ConnectionError as error:
        where = f"{receiver.host}:{receiver.port}"
        raise click.ClickException(f"{where} cannot be connected to ({error})") from None


def http_client(url: str | None, token: str | None, *, raw: bool) -> HttpClient:
    """A client of the Connector at `url`; without url or token, of the one of this environment."""
    if url is None or token is None:
        settings = configuration.from_environment()
        url = url or settings.of(HttpSettings).local_url()
        token = token or tokens.token(settings, seconds=86_400)
    return HttpClient(url, token, raw=raw)


def send_over_http(
    messages: Iterable[bytes], client: HttpClient, on_answer: Callable[[Answer], None], *, rate: float | None
) -> None:
    """Post every message, one after the other; a Connector that is not there is one line."""
    due, pause = clock.monotonic(), threading.Event().wait
    for message in messages:
        if rate:
            pause(max(0.0, due - clock.monotonic()))
            due += 1 / rate
        try:
            answer = client.send(message)
        except ConnectionError as error:
            raise click.ClickException(f"{client.address} did not answer ({error})") from None
        on_answer(answer)


@contextmanager
def summed_up(*, timed: bool, err: bool = False) -> Iterator[Summary]:
    """A summary that is shown in the end, also where it was broken off; `timed` with times and rate.

    Then the command ends with status 1, unless all messages were taken.
    """
    summary, began = Summary(), clock.monotonic()
    try:
        yield summary
    finally:
        if summary.codes:
            elapsed = clock.monotonic() - began if timed else None
            click.echo("\n".join(summary.lines(elapsed)), err=err)
    if not summary.all_taken:
        raise SystemExit(1)


def telling(
    summary: Summary, *, each: bool, also: Callable[[int], None] | None = None
) -> Callable[[Answer], None]:
    """Return what to call with an answer: it counts it, and shows it if `each` is or if it took nothing.

    `also` is called with 1 for every message that has its answer.
    """

    def on_answer(answer: Answer) -> None:
        summary.add(answer)
        if each or not (answer.taken or answer.late):
            click.echo(shown(answer))
        if also is not None and not answer.late:
            also(1)

    return on_answer


def shown(answer: Answer) -> str:
    """One answer on one line."""
    code = click.style(answer.code, fg=_COLOURS.get(answer.code, "red"))
    return "  ".join(part for part in (code, answer.control_id, answer.reason) if part)
