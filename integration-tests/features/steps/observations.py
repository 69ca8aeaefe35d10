"""Steps about the ORU message that the EPR gets of an observation set, and about what the site wants."""

from typing import Any

from behave import step

from driver.observations import Oru, oru_time


@step("the message names the sender, the patient, the stay and who took the observations")
def check_segments(context: Any) -> None:
    message, observed = Oru.read(context.arrived), context.posted[-1]
    header = message.segment("MSH")
    assert header[2:6] == ["DHOS", "DHOS", "EPR", "RBH"], header
    assert header[8:] == ["ORU^R01^ORU_R01", observed.control_id, "T", "2.6"], header
    for name in ("PID", "PV1", "OBR"):
        assert message.segment(name) == observed.expected(name), message.segment(name)
    names = [each[0] for each in message.segments]
    assert names[:4] == ["MSH", "PID", "PV1", "OBR"]
    assert set(names[4:]) == {"OBX"}


@step("its observations are")
def check_observations(context: Any) -> None:
    rows = Oru.read(context.arrived).observations()
    found = [{name: row[name] for name in context.table.headings} for row in rows]
    expected = [row.as_dict() for row in context.table]
    assert found == expected, "\n".join(map(str, found))


@step("each of them was made at the time of the round")
def check_times(context: Any) -> None:
    times = {row["time"] for row in Oru.read(context.arrived).observations()}
    assert times == {oru_time(context.posted[-1].recorded)}


@step("the site wants no observation sets")
def want_none(context: Any) -> None:
    context.trustomer.order(send_config={"generate_oru_messages": False})


@step("the site wants observation sets again")
def want_them_again(context: Any) -> None:
    context.unwanted = context.posted[-1]
    context.trustomer.order()


@step("the EPR has received nothing of what the site did not want")
def check_unwanted(context: Any) -> None:
    epr = context.destinations["epr"]
    assert epr.attempts(context.unwanted.key) == []
    assert context.connector.by_control_id(context.unwanted.control_id) == []
