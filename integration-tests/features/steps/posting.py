"""Steps by which the platform posts what goes to the hospital: context.posted keeps each, the newest last."""

from typing import Any

from behave import register_type, step
from parse import with_pattern

from driver import tokens
from driver.connector import Connector
from driver.documents import Document, hostile
from driver.observations import ObservationSet
from driver.waiting import eventually


def post(context: Any, outgoing: ObservationSet | Document, **options: Any) -> None:
    """Post it and remember it; `context.response` is the answer."""
    connector: Connector = context.connector
    if isinstance(outgoing, Document):
        context.response = connector.post_document(outgoing.content, **options)
    else:
        context.response = connector.post_observations(outgoing.body(), **options)
    context.posted.append(outgoing)


@with_pattern("an observation set|a CDA document")
def _builder(text: str) -> type[ObservationSet] | type[Document]:
    return ObservationSet if text == "an observation set" else Document


register_type(Outgoing=_builder)


@step("the platform posts {builder:Outgoing}")
@step("the platform has posted {builder:Outgoing}")
def post_one(context: Any, builder: type) -> None:
    post(context, builder(context.patient))


@step('the platform posts {builder:Outgoing} under the request id "{request_id}"')
def post_with_request_id(context: Any, builder: type, request_id: str) -> None:
    post(context, builder(context.patient), request_id=request_id)


@step("the platform posts {number:d} observation sets")
def post_many(context: Any, number: int) -> None:
    for _ in range(number):
        post(context, ObservationSet(context.patient))


@step("the platform posts a correction of the observation set")
def post_correction(context: Any) -> None:
    post(context, context.posted[-1].corrected())


@step("the platform posts an observation set without {parts}")
def post_without(context: Any, parts: str) -> None:
    context.parts = parts.replace(" and ", ", ").split(", ")
    observed = ObservationSet(context.patient)
    context.posted.append(observed)
    context.response = context.connector.post_observations(observed.body(*context.parts))


@step("the platform posts no observation set at all")
def post_other_action(context: Any) -> None:
    body = {"actions": [{"name": "process_patient", "data": {}}]}
    context.response = context.connector.post_observations(body)


@step("the platform posts observation sets until one is {kept}")
def post_until(context: Any, kept: str) -> None:
    def is_so() -> bool:
        post(context, ObservationSet(context.patient))
        check_answer(context, 204)
        found = context.connector.by_control_id(context.posted[-1].control_id)
        return bool(found) is (kept == "kept")

    eventually(is_so, f"observation set that is {kept}")


@step("the platform posts a document with {flaw}")
def post_hostile(context: Any, flaw: str) -> None:
    post(context, hostile(flaw, context.patient))


@step("somebody posts {builder:Outgoing} with a token {flaw}")
def post_with_bad_token(context: Any, builder: type, flaw: str) -> None:
    post(context, builder(context.patient), token=tokens.bad(context.around, flaw))


@step("the EPR service adapter posts {builder:Outgoing}")
def post_as_adapter(context: Any, builder: type) -> None:
    post(context, builder(context.patient), token=tokens.epr_adapter(context.around))


@step("it is answered with {status:d}")
def check_answer(context: Any, status: int) -> None:
    response = context.response
    assert response.status_code == status, f"{response.status_code}: {response.text[:300]}"


@step("all that is missing is named")
def check_named(context: Any) -> None:
    message = context.response.json()["message"]
    assert all(part in message for part in context.parts), message


@step("nothing is kept of it")
def check_nothing_kept(context: Any) -> None:
    outgoing = context.posted[-1]
    assert context.connector.by_control_id(outgoing.control_id) == []
    assert context.connector.by_identifier("MRN", context.patient.mrn) == []
    assert context.destinations[outgoing.destination].attempts(outgoing.key) == []
