# The image of the Connector: web processes by default; `relay` and `migrate` are other commands of the same image.
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
RUN python -m compileall -q dhos_connector_api migrations

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
    SERVER_PORT=5000
COPY --from=libraries /opt/connector /opt/connector
WORKDIR /opt/connector/app
USER 10001:10001
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['SERVER_PORT']}/running\", timeout=2)"]
ENTRYPOINT ["python", "-m", "dhos_connector_api"]
CMD ["serve"]
