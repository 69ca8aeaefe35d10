"""What a person sends in is not the audit trail's: each row says, as long as it is kept, by whom it came."""

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from tests.builders.api import ask
from tests.builders.audit_samples import SAMPLES
from tests.builders.people import a_user, person_token, shared_people_api
from tests.rigs.answers import OPERATIONS
from tests.rigs.rights_world import of_examples


@pytest.mark.parametrize("operation", [each for each, sample in SAMPLES.items() if sample.kept_by])
def test_what_a_person_sends_in_is_kept_with_his_name(database: Database, operation: str) -> None:
    with database.transaction() as connection:
        person = a_user(connection, 100)
    app, request = shared_people_api(database), of_examples(OPERATIONS[operation])
    assert ask(app, **request, token=person_token(person)).is_success
    with database.statements() as connection:
        by = connection.execute(text(f"SELECT {SAMPLES[operation].kept_by} FROM message")).scalars().all()
        left = connection.execute(text("SELECT count(*) FROM audit_event")).scalar_one()
    assert (set(by), left) == ({f"user {person}"}, 0)
