"""An outage does not flood the log, whatever number of requests, frames and steps meet it."""

import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from dhos_connector_api.db.metrics import DATABASE_WRITABLE
from dhos_connector_api.hl7v2.framing import Frame
from dhos_connector_api.intake.arrival import Door
from dhos_connector_api.intake.door_names import DoorName, Way
from dhos_connector_api.mllp.answering import FrameAnswerer, ReceivedFrame
from dhos_connector_api.outages import Outage
from dhos_connector_api.stopping import Stop
from dhos_connector_api.workers import loop
from tests.builders.api import NO_DATABASE, WRITE, api, ask, internal, message_body
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE
from tests.builders.mllp import listener


def loud(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged at WARNING and above."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_requests_frames_and_steps_log_one_line_together(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_told = Outage("PostgreSQL", DATABASE_WRITABLE)  # by an earlier test of this minute
    monkeypatch.setattr("dhos_connector_api.db.faults.OUTAGE", nothing_told)
    app, token = api(), internal(WRITE)

    def post(_: int) -> int:
        return ask(app, "POST", "/dhos/v1/message", token=token, json=message_body(adt())).status_code

    assert {post(each) for each in range(5)} == {503}
    with ThreadPoolExecutor(60) as senders:  # of those that are kept together some are not even tried
        assert set(senders.map(post, range(300))) == {503}
    door, contents = Door(name=DoorName(Way.MLLP, "test")), [adt() for _ in range(30)]
    frames = [ReceivedFrame(Frame(each, len(each)), listener(), door, "1") for each in contents]
    assert FrameAnswerer(NO_DATABASE, lambda: INTAKE).answer(frames) == [None] * 30
    assert FrameAnswerer(NO_DATABASE, lambda: INTAKE).answer(frames[:1]) == [None]
    steps, stop = count(), Stop()

    def step() -> bool:
        if next(steps) == 20:
            stop.set()
        with NO_DATABASE.statements():
            return True

    loop.run(step, idle=lambda _: None, rest=lambda _: 0.0, stop=stop)
    assert next(steps) == 21
    assert loud(caplog) == ["PostgreSQL cannot be used"]
