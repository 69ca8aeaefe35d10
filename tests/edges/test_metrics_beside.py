"""The port of metrics beside a worker: its thread has ended before the interpreter is taken down."""

import threading
from contextlib import suppress
from threading import Event

import pytest
import requests

from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.http import exposing
from dhos_connector_api.http.exposing import MetricsApp, served_beside
from tests.rigs.waiting import eventually


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "metrics"]


def answers(port: int, path: str = "/running") -> bool:
    """Whether that port answers well; False where the connection is refused, or cut in the middle."""
    with suppress(requests.ConnectionError):
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=5).ok
    return False


def test_no_thread_of_the_port_is_left_when_the_block_ends() -> None:
    port = free_port()
    with served_beside(MetricsApp(lambda: b"", lambda: None), port, "RELAY_METRICS_PORT"):
        assert eventually(lambda: answers(port))
        assert threads() == ["metrics"]
    assert threads() == []
    assert not answers(port)


def test_an_answer_that_takes_long_holds_the_end_up_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposing, "GRACE", 0.1)
    port, asked, go_on = free_port(), Event(), Event()

    def check() -> None:
        asked.set()
        go_on.wait(10)

    with served_beside(MetricsApp(lambda: b"", check), port, "RELAY_METRICS_PORT"):
        assert eventually(lambda: answers(port))
        asking = threading.Thread(target=answers, args=(port, "/ready"))
        asking.start()
        assert asked.wait(10)
        threading.Timer(0.5, go_on.set).start()
    assert threads() == []
    asking.join()
