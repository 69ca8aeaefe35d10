"""The commands for what sources call hospitals: `organizations identify`, `organizations identifiers`."""

import click
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.audited import audited
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.errors import Details, InvalidFields
from dhos_connector_api.px.organizations import identifier_store, identifying, store
from dhos_connector_api.px.organizations.resources import HOSPITAL
from dhos_connector_api.px.organizations.store import Row
from dhos_connector_api.spec.kept_body import check_of


@click.command()
@click.argument("hospital_code")
@click.argument("value")
@click.option("--source", required=True, help="Who calls it so: hl7v2 for HL7 messages, his, or an event's.")
@click.option(
    "--kind",
    type=click.Choice(identifier_store.KINDS),
    default=identifier_store.FACILITY,
    show_default=True,
    help="What VALUE is: MSH-4 of HL7, or a HIS's HospitalID or HospitalName.",
)
@with_settings
def identify(settings: Settings, hospital_code: str, value: str, source: str, kind: str) -> None:
    """Store that a source calls the hospital of HOSPITAL_CODE so: VALUE, in any case.

    Its patients and events that waited are taken up within a minute or so.
    """
    now, check = clock.now(), check_of("create_hospital_identifier")
    _refuse(check.faults({"source": source, "kind": kind, "value": value}))
    with open_database(settings).transaction() as connection:
        hospital = _hospital(connection, hospital_code)["id"]
        try:
            row = identifying.identify(
                connection, clock.new_uuid(now), hospital, source=source, kind=kind, value=value, at=now
            )
        except InvalidFields as error:
            _refuse({name: list(reasons) for name, reasons in error.details.items()})
        audited(connection, "change", HOSPITAL.name, hospital, hospital, (identifying.FIELD,))
    click.echo(f"{row['source']} calls it so now; what waited is taken up within a minute")


@click.command()
@click.argument("hospital_code", required=False)
@with_settings
def identifiers(settings: Settings, hospital_code: str | None) -> None:
    """List what sources call the hospital of HOSPITAL_CODE.  [default: every hospital]"""
    with open_database(settings).statements() as connection:
        hospital = None if hospital_code is None else _hospital(connection, hospital_code)["id"]
        for row in identifier_store.listed(connection, hospital):
            click.echo(f"{row['code']:<12}  {row['source']:<8}  {row['kind']:<8}  {row['value']}")


def _hospital(connection: Connection, code: str) -> Row:
    found = store.by_key(connection, HOSPITAL, code)
    if found is None:
        raise click.ClickException("there is no hospital with that code")
    return found


def _refuse(details: Details) -> None:
    """End the command where anything does not fit, and say what."""
    if details:
        told = (f"{name}: {', '.join(reasons)}" for name, reasons in details.items())
        raise click.ClickException("; ".join(told))
