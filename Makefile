# Everything a person types. It needs Python >= 3.11 with venv, and make; paths are relative, so the checkout may live anywhere.
# Another interpreter: PYTHON=python3.13 make up
VENV := .venv/bin/python
PYTHON ?= $(if $(wildcard $(VENV)),$(VENV),python3)
CAPSTONE ?= orders
BROKERS ?= rabbitmq valkey
NAMESPACE ?= capstones
OVERLAY ?= kind
CHOSEN = $(foreach name,$(CAPSTONES),--capstone $(name))
TAG ?= dev
# Test processes: more than cores, since most tests wait for a server. Drills come last, three at a time: orders come for as long as a drill
# takes, so a drill beside other tests makes both slower.
WORKERS ?= 4
DRILLS ?= 3
SCHEDULES ?= 1000
TESTS = $(VENV) tests/selection/run_selected.py $(if $(SINCE),--since $(SINCE)) $(if $(UNTIL),--until $(UNTIL)) --workers $(WORKERS) --drills $(DRILLS)

# Hundreds of processes import the same modules: what one of them compiled the next one loads, also where the shell says to keep nothing.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install install-dev up down status live test test-e2e test-all test-labs chosen coverage coverage-by-suite mutants test-soak trading-schedules bench replay-cdnow cluster-up cluster-down images secrets deploy smoke undeploy dev lint format charts rules dashboards lock vendor clean

##@ Start here
help: ## Say what each target does
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

up: install ## Start the platform in the background and wait until it is ready; CAPSTONES="NAME …" are added to what runs, OBSERVE=1 keeps traces
	@$(VENV) -m conductor up $(CAPSTONES) $(if $(OBSERVE),--observe)

down: ## Stop it all; nothing stays running
	@if [ -x .venv/bin/capstone ]; then $(VENV) -m conductor down; else echo "nothing is running: nothing is installed yet"; fi

status: install ## Show what runs and where it answers
	@$(VENV) -m conductor status

live: install ## Show the live screen
	@$(VENV) -m conductor status --live

##@ Prove it
test: install-dev ## Run every test except the full-size drills; SINCE=<commit> runs what that change can break, and tells the rest
	@$(if $(and $(ARGS),$(if $(SINCE),,all)),$(VENV) -m pytest --ignore tests/e2e --numprocesses $(WORKERS) --no-loadscope-reorder $(ARGS),$(TESTS) -- $(ARGS))

test-e2e: install-dev ## Run the drills of a cluster, in the one that kubectl points to; E2E_LOAD="command" loads images
	@$(TESTS) --suite e2e -- $(ARGS)

test-all: test test-soak ## Run every test and every drill, also at full size: hours

chosen: install-dev ## Say what `make test SINCE=<commit>` would run; UNTIL=<commit> ends the change before the files here
	@$(TESTS) --explain

coverage: install-dev ## Measure branch coverage, worker processes included; fails below 95 %
	@$(VENV) -m coverage erase
	@$(VENV) -m coverage run -m pytest -q tests/unit tests/contract/orders tests/integration/chassis tests/integration/orders
	@$(VENV) -m coverage combine --quiet
	@$(VENV) -m coverage report --include 'services/orders/domain/*' --fail-under 95
	@$(VENV) -m coverage report --include 'services/chassis/*' --fail-under 95

coverage-by-suite: install-dev ## Run each folder of tests by itself and name what it runs beyond its entry in the map; FOLDERS="unit/orders …"
	@$(VENV) tests/selection/coverage_by_suite.py --workers $(WORKERS) $(FOLDERS)

mutants: install-dev ## Break every guard once and see a test fail; MODULES="chassis.work …" breaks only theirs
	@$(VENV) tests/mutation/run.py $(MODULES)

test-soak: install-dev ## Run the full-size drills on each broker of BROKERS, and in the cluster that kubectl points to, if any
	@for capstone in orders analytics trading; do for broker in $(BROKERS); do \
	  $(VENV) -m conductor drill run all --capstone $$capstone --broker $$broker || exit 1; done; done
	@E2E_ORDERS=2000 $(VENV) -m pytest tests/e2e

trading-schedules: install-dev ## Check the laws of trading, and the engine against a slow one, over SCHEDULES random schedules
	@SCHEDULES=$(SCHEDULES) $(VENV) -m pytest -q tests/unit/trading/test_schedules.py --numprocesses 2 $(ARGS)

bench: install-dev ## Measure CAPSTONE against the naive rival; the last line is JSON
	@$(VENV) -m loadtests.bench $(CAPSTONE) $(ARGS)

replay-cdnow: install ## Replay all 69,659 CDNOW purchases as orders, to the cent
	@$(VENV) -m loadtests.cdnow $(ARGS)

test-labs: install-dev ## Grade the grader: every answer of every lab gets exactly its verdict; LABS="SLUG …" only theirs, SINCE=<commit> those that it asks for, WITHIN=150 TURN=7 a share of them
	@$(VENV) -m conductor lab prove $(LABS) --parallel $(DRILLS) $(if $(SINCE),--since $(SINCE)) $(if $(WITHIN),--within $(WITHIN)) $(if $(TURN),--turn $(TURN))

##@ On Kubernetes
cluster-up: install ## Make a cluster with kind, unless kubectl already has one
	@$(VENV) -m conductor cluster up

images: install ## Build our images and load those that changed; LOAD="command" for clusters that are neither kind nor minikube
	@$(VENV) -m conductor cluster images $(CHOSEN) --tag $(TAG) $(if $(LOAD),--load "$(LOAD)")

secrets: install ## Make the namespace and the Secrets that are missing; never changes one that is there
	@$(VENV) -m conductor cluster secrets $(CHOSEN) --namespace $(NAMESPACE)

deploy: install ## Install platform and capstones and wait until all is ready; CAPSTONES="NAME …", OVERLAY=ha, NAMESPACE=…, HELM_ARGS=…
	@$(VENV) -m conductor cluster deploy $(CHOSEN) --namespace $(NAMESPACE) --overlay $(OVERLAY) --tag $(TAG) $(HELM_ARGS)

smoke: install ## Send 50 requests inside the cluster and see each completed; CAPSTONES=NAME where several run; the last line is JSON
	@$(VENV) -m conductor cluster smoke $(CHOSEN) --namespace $(NAMESPACE) --tag $(TAG)

dev: ## Build, deploy and follow every change, with skaffold
	@skaffold dev --profile dev

undeploy: install ## Take capstones and platform away; what was stored stays. CAPSTONES="NAME …" takes only these
	@$(VENV) -m conductor cluster undeploy $(CHOSEN) --namespace $(NAMESPACE)

cluster-down: install ## Remove the cluster that cluster-up made
	@$(VENV) -m conductor cluster down

##@ Keep it clean
lint: install-dev ## Check style, types and import rules
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check .
	@$(VENV) -m mypy
	@$(VENV) -m mypy charts/*.py charts/celery-app/*.py scripts/tools.py scripts/dashboards.py tests/selection/*.py
	@.venv/bin/lint-imports

format: install-dev ## Put the code into the one format
	@$(VENV) -m ruff check --fix-only .
	@$(VENV) -m ruff format .

rules: install-dev ## Write Prometheus' rules anew, from observability/registry.yaml
	@$(VENV) -m conductor.observability.rules

dashboards: install-dev ## Write Grafana's dashboards anew
	@$(VENV) scripts/dashboards.py

charts: install-dev ## Write the charts' schemas and golden renders anew, to be read in the diff, and package the library chart
	@$(VENV) charts/schemas.py
	@$(VENV) tests/charts/golden.py
	@PATH="$$PATH:.tools" helm package charts/celery-app --destination .run/charts

lock: install-dev ## Lock the newest allowed versions kept, and export what pip installs
	@$(VENV) -m uv lock --quiet
	@$(VENV) scripts/export_requirements.py

vendor: ## Bring the live page's chart library from npm into the checkout, checked against its checksum; needs npm
	@$(PYTHON) scripts/vendor.py

clean: down ## Remove what was installed and what ran
	@rm -rf .venv .run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

##@ Installing (the targets above do it themselves)
install: ## Install what running needs
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: install Python 3.11 or newer"; exit 1; }
	@$(PYTHON) scripts/bootstrap.py requirements.txt

install-dev: ## Install what testing needs as well
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: install Python 3.11 or newer"; exit 1; }
	@$(PYTHON) scripts/bootstrap.py requirements-dev.txt
