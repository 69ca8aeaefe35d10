# The image of the Connector: web processes by default; `mllp`, `relay`, `deliver`, `consume` and `migrate` are other commands of the same image.
# Runs as a plain user on a read-only root file system; give it a tmpfs on /tmp. Pin the base by digest in your registry:
#   docker build --build-arg PYTHON_IMAGE=python:3.11.14-slim-bookworm@sha256:... .
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS libraries
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements.txt ./
RUN python -m venv /opt/connector/venv \
    && /opt/connector/venv/bin/pip install --only-binary :all: --require-hashes --requirement requirements.txt \
    && /opt/connector/venv/bin/pip uninstall --yes setuptools pip
WORKDIR /opt/connector/app
COPY dhos_connector_api dhos_connector_api
COPY migrations migrations
COPY openapi openapi
COPY scripts/install_command.sh /build/
RUN python -m compileall -q dhos_connector_api migrations \
    && bash /build/install_command.sh /opt/connector/venv /opt/connector/app

FROM ${PYTHON_IMAGE}
ARG GIT_HASH=unknown
ARG BUILD_NUMBER=unknown
ARG VERSION=1.0.0
LABEL org.opencontainers.image.title="dhos-connector-api" \
    org.opencontainers.image.description="Takes a hospital's HL7 v2, keeps it, acknowledges it, hands it to RabbitMQ" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.vendor="The Connector contributors" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${GIT_HASH}"
ENV PATH=/opt/connector/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    GIT_HASH=${GIT_HASH} BUILD_NUMBER=${BUILD_NUMBER} \
    SERVER_PORT=5000 MLLP_METRICS_PORT=9465 RELAY_METRICS_PORT=9466 DELIVER_METRICS_PORT=9467 \
    CONSUME_METRICS_PORT=9468
COPY --from=libraries /opt/connector /opt/connector
WORKDIR /opt/connector/app
USER 10001:10001
EXPOSE 5000 9464 9465 9466 9467
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-m", "dhos_connector_api.processes.health"]
ENTRYPOINT ["connector"]
CMD ["serve"]
