"""Where everything is: read from the environment, which run.sh or docker-compose.yml sets."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Surroundings:
    """Addresses and keys of one test run."""

    connector: str
    metrics: str  # of that one
    other_connector: str  # the same with HL7_DUPLICATE_POLICY=reject, and without Mirth
    trustomer: str
    epr: str
    mirth: str
    network_control: str  # host:port
    rabbitmq_host: str
    rabbitmq_port: int
    rabbitmq_vhost: str
    rabbitmq_username: str
    rabbitmq_password: str
    issuer: str
    key: str
    adapter_issuer: str
    adapter_key: str
    his_webhook_secrets: tuple[str, str]  # the one in use, and the one before it


def from_environment() -> Surroundings:
    """The surroundings of this run. Raises KeyError naming what is not set."""
    get = os.environ
    return Surroundings(
        connector=get["CONNECTOR_URL"],
        metrics=get["CONNECTOR_METRICS_URL"],
        other_connector=get["OTHER_CONNECTOR_URL"],
        trustomer=get["DHOS_TRUSTOMER_API_HOST"],
        epr=get["EPR_URL"],
        mirth=get["MIRTH_URL"],
        network_control=get["NETWORK_CONTROL"],
        rabbitmq_host=get["BEHIND_NETWORK_HOST"],
        rabbitmq_port=int(get["BEHIND_NETWORK_PORT"]),
        rabbitmq_vhost=get["RABBITMQ_VHOST"],
        rabbitmq_username=get["RABBITMQ_USERNAME"],
        rabbitmq_password=get["RABBITMQ_PASSWORD"],
        issuer=get["HS_ISSUER"],
        key=get["HS_KEY"],
        adapter_issuer=get["EPR_SERVICE_ADAPTER_ISSUER"],
        adapter_key=get["EPR_SERVICE_ADAPTER_HS_KEY"],
        his_webhook_secrets=(get["HIS_WEBHOOK_SECRET"], get["HIS_WEBHOOK_SECRET_PREVIOUS"]),
    )
