# Every target sets up what it needs: a machine with Python 3.11 or later and make is enough.

PYTHON ?= $(or $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$p" && break; \
	done),$(error Python 3.11 or later is needed and was not found))
BIN := .venv/bin
# Stamps: each is as new as the lock that was installed last.
VENV := .venv/.made
RUNTIME := .venv/.runtime-installed
CLUSTER := .venv/.cluster-installed
DEVELOPMENT := .venv/.development-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV := $(BIN)/uv

.DEFAULT_GOAL := help
.PHONY: help setup cluster demo run check format lint types imports test bench bench-peers chaos chaos-cluster docs lock clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(DEVELOPMENT) ## Make the virtual environment with everything in it

cluster: $(CLUSTER) ## Install what the cluster profile needs beside

demo: $(RUNTIME) ## Run the main job on an empty data directory and check what it promises
	$(BIN)/gatewayz demo

run: $(RUNTIME) ## Start the engine with its data in ./data
	$(BIN)/gatewayz serve

check: format lint types imports ## The gate before every commit; under a minute
	$(BIN)/pytest -q tests/unit tests/property tests/contract tests/architecture tests/golden

format: $(DEVELOPMENT)
	$(BIN)/ruff format --check --quiet .

lint: $(DEVELOPMENT)
	$(BIN)/ruff check --quiet .

types: $(DEVELOPMENT)
	$(BIN)/mypy

imports: $(DEVELOPMENT)
	$(BIN)/lint-imports --no-logo

# Tests wait more than they work, for timeouts, commits and processes, so that several run at once.
# Those with a broker or a cluster are many processes themselves: they run one after another, and
# the others take what time is left beside them.
TEST_PROCESSES ?= 2

# Kafka's jars are fetched first, so that no test waits for them; without them the tests say so.
test: format lint types imports ## Everything that this machine can run
	-@$(BIN)/python -m infra.local.jars >/dev/null
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	nice -n 10 $(BIN)/pytest -m "not broker" -n $(TEST_PROCESSES) $(PYTEST) >"$$log" 2>&1 & \
	others=$$!; broker=0; $(BIN)/pytest -m broker $(PYTEST) || broker=$$?; \
	status=0; wait $$others || status=$$?; cat "$$log"; \
	[ $$broker -eq 0 ] && exit $$status || exit $$broker

bench: $(DEVELOPMENT) ## Measure the figures of the README
	$(BIN)/python -m infra.benchmarks

bench-peers: $(DEVELOPMENT) ## Measure other gateways beside this one; installs them from PyPI and npm
	$(BIN)/python -m infra.benchmarks.peers

chaos: $(DEVELOPMENT) ## Kill the engine at random moments, the long form
	$(BIN)/python -m tests.chaos

chaos-cluster: $(DEVELOPMENT) ## Break a cluster in every way while it works, the long form
	-@$(BIN)/python -m infra.local.jars >/dev/null
	$(BIN)/python -m tests.chaos.cluster

docs: $(DEVELOPMENT) ## Write the generated pages anew
	$(BIN)/python -m infra.write_docs

LOCKING := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --quiet

lock: $(VENV) ## Choose the newest allowed versions of everything that is installed
	$(PIP) install uv
	$(UV) pip compile pyproject.toml --upgrade $(LOCKING) --group build -o requirements.lock
	$(UV) pip compile pyproject.toml --upgrade $(LOCKING) --group build --extra cluster \
		--constraints requirements.lock -o requirements-cluster.lock
	$(UV) pip compile pyproject.toml --upgrade $(LOCKING) --group build --group dev \
		--all-extras --constraints requirements-cluster.lock -o requirements-dev.lock

clean: ## Remove what was made here; the data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV):
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

$(RUNTIME): requirements.lock pyproject.toml | $(VENV)
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(CLUSTER): requirements-cluster.lock $(RUNTIME)
	$(PIP) install --require-hashes -r requirements-cluster.lock
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
