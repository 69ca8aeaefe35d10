# What a newcomer needs. `make` or `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := $(CURDIR)/.venv/bin
FILES ?= tests/samples/a01_admission.hl7
IMAGE ?= dhos-connector-api
# Tests run on all cores; the PostgreSQL they share has connections for four workers. A later -m replaces this one.
WORKERS := --numprocesses logical --dist loadgroup
FAST := $(WORKERS) --maxprocesses 4 -m "not slow"
SLOW := $(WORKERS) --maxprocesses 2 -m slow
export PYTHONPATH := $(CURDIR)

.PHONY: help install run pretend test test-slow check lint format unit migrate migration token send generate messages show outbox deliveries retry replay \
	bench fuzz thousand encounters integration openapi readme monitoring chart lock sbom audit image clean

help: ## List what there is to make
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run it
run: ## Set everything up and serve on PORT (5000); Ctrl-C stops it
	@./run_local.sh $(PORT)

migrate: ## Bring the database to the newest migration
	@./run_local.sh migrate

image: ## Build the container image
	docker build --tag $(IMAGE) --build-arg GIT_HASH=$$(git rev-parse HEAD) .

pretend: install ## Run an EPR on port 5100 that only pretends, for ORU messages
	@set -a; . "$${LOCAL_STATE:-.local}/development.env"; EPR_LISTEN=127.0.0.1:5100 \
		PYTHONPATH=integration-tests $(VENV)/python -m fakes.epr

##@ Use it (while it runs)
token: ## Print a development token
	@./run_local.sh token

send: ## Post FILES and show their acknowledgements
	@./run_local.sh send $(FILES)

generate: ## Post the messages of PATIENTS (100) invented patients
	@./run_local.sh generate --patients $(or $(PATIENTS),100) --url http://127.0.0.1:$${SERVER_PORT:-5000}

messages: ## List the newest messages
	@./run_local.sh messages list

show: ## Show what became of message UUID
	@./run_local.sh messages show $(UUID)

outbox: ## List what waits to be published
	@./run_local.sh outbox list

deliveries: ## List what goes out to the hospital
	@./run_local.sh deliveries list

retry: ## Publish dead envelope ID again
	@./run_local.sh outbox retry $(ID)

replay: ## Judge and publish message UUID again
	@./run_local.sh replay $(UUID)

##@ Change it
install: ## Make .venv with everything the other targets need
	@scripts/install.sh requirements-dev.txt

test: check unit ## Every check and every fast test (5 minutes)

test-slow: install ## The tests that kill, wait, start brokers of their own or count to ten thousand
	$(VENV)/python -m pytest $(SLOW) $(ARGS)

check: lint openapi ## Every check: style, types, imports, specification, README

lint: install ## Style, types, order of imports, tables of the README
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/python -m docs.readme_tables --check

format: install ## Put the code into its format
	$(VENV)/ruff check --fix
	$(VENV)/ruff format

unit: install ## The fast tests alone: make unit ARGS='tests/pure -k escapes'
	$(VENV)/python -m pytest $(FAST) $(ARGS)

integration: install ## The behave features against real processes
	integration-tests/run.sh $(ARGS)

bench: install ## Measure speed and memory: make bench ARGS='post --seconds 3'
	$(VENV)/python -m benchmarks $(ARGS)

fuzz: install ## A million mutated messages in, 100,000 hostile observation sets out
	$(VENV)/python -m benchmarks.fuzz hl7 $(ARGS)
	$(VENV)/python -m benchmarks.fuzz oru $(ARGS)

thousand: install ## 1,000 deliveries through each way in which each fake can behave (6 minutes)
	CONNECTOR_DELIVERIES_EACH=1000 $(VENV)/python -m pytest tests/edges/test_thousand_deliveries.py

encounters: install ## 10,000 encounters told through all doors while everything is killed in turn (20 minutes)
	CONNECTOR_ENCOUNTERS=10000 $(VENV)/python -m pytest tests/edges/test_journeys_promise.py

migration: install ## Write a migration from the models: make migration NAME='what it does'
	CONNECTOR_PYTHON=$(VENV)/python ./run_local.sh flask db migrate -m "$(NAME)"

openapi: install ## Check the specification and write it as one document
	$(VENV)/python -m dhos_connector_api.spec.document build/openapi.yaml
	$(VENV)/openapi-spec-validator build/openapi.yaml

readme: install ## Rewrite the tables and the diagram of the README
	$(VENV)/python -m docs.readme_tables

monitoring: install ## Make Prometheus' rules and Grafana's board from deploy/monitoring.yaml
	$(VENV)/python -m deploy.monitoring

chart: monitoring ## Render the chart anew for its tests, by the helm that npm has
	$(VENV)/python -m tests.rigs.charts

lock: install ## Renew the locks
	PATH="$(VENV):$$PATH" scripts/lock.sh --upgrade

sbom: install ## Write down what the image's libraries are, as CycloneDX: build/sbom.json
	PATH="$(VENV):$$PATH" scripts/supply_chain.sh sbom

audit: install ## Ask what is known against the image's libraries; needs the vulnerability service of PyPI
	PATH="$(VENV):$$PATH" scripts/supply_chain.sh audit

clean: ## Remove the virtual environment and what tools keep; not .local
	rm -rf .venv .tox build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
