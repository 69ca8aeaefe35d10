"""When the relay counts as working, and when MLLP counts as listening."""

import pytest

from dhos_connector_api.app.exposition import check_listening
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.workers.touch import LONGEST, Touch


def test_a_relay_works_for_a_while_after_its_session_answered() -> None:
    now = 100.0
    touch = Touch(lambda: now)
    with pytest.raises(StorageUnavailable, match="neither holds its lease nor waits"):
        touch.check()
    touch.felt()
    now += LONGEST
    touch.check()
    now += 0.1
    with pytest.raises(StorageUnavailable):
        touch.check()


@pytest.mark.parametrize("processes", [[], [2.0, 0.0]])
def test_mllp_is_not_ready_where_a_listener_has_no_process(processes: list[float]) -> None:
    check_listening([1.0, 2.0])
    with pytest.raises(StorageUnavailable, match="a listener does not listen"):
        check_listening(processes)
