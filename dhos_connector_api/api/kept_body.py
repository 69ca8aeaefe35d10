"""Bodies that are kept whatever they are: what the specification says of one, as a value and not an error."""

from functools import cache

from connexion.spec import Specification

from dhos_connector_api.api import specification
from dhos_connector_api.api.json_body import JsonBody, parse
from dhos_connector_api.errors import BadInput
from dhos_connector_api.intake.judge_his import Shape


def shape_of(raw: bytes, check: JsonBody | None) -> Shape:
    """The parsed body and what of it does not fit. `check` is None where the operation has no schema."""
    try:
        value = parse(raw)
    except BadInput as error:
        return Shape(details={"body": [error.text.removeprefix("the body ")]}, is_json=False)
    return Shape(value, check.faults(value) if check else {})


@cache
def his_payload_check() -> JsonBody:
    """How HIS payloads are checked, for those who read stored ones again."""
    document = dict(Specification.load(specification.load()))
    operations = {each.name: each for each in specification.operations(document)}
    body = operations["post_his_patient_data"].definition["requestBody"]
    return JsonBody(body["content"]["application/json"]["schema"])
