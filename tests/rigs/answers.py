"""The specification as a measure: whether an answer is one that it announces."""

from connexion.json_schema import Draft4ResponseValidator
from connexion.spec import Specification
from httpx import Response

from dhos_connector_api.spec import document as specification
from dhos_connector_api.spec.document import Operation

#: References followed: plain enough for a validator that knows nothing of OpenAPI.
RESOLVED = dict(Specification.load(specification.load()))
OPERATIONS = {each.id: each for each in specification.operations(RESOLVED)}


def fits(operation: Operation, response: Response) -> Response:
    """Assert that the specification announces this status, this content type and this body."""
    responses = operation.definition["responses"]
    definition = responses.get(str(response.status_code)) or responses["default"]
    if str(response.status_code) not in responses:
        assert response.status_code >= 400, "a success has to be in the specification"
    media_type = response.headers.get("content-type", "").partition(";")[0]
    announced = definition.get("content", {})
    assert media_type in announced or (not announced and not response.content)
    if media_type == "application/json":
        Draft4ResponseValidator(announced[media_type]["schema"]).validate(response.json())
    for name, header in definition.get("headers", {}).items():
        if name == "Retry-After":
            assert response.headers[name].isdigit(), header
    return response
