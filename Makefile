# Two commands do everything: `make sandbox` to see the bot, `make test` to trust it. `make help` lists the rest.
#
# Each target first brings .venv to the state of its lock (scripts/set-up; a few milliseconds when it is there already).
# One environment, two locks: the sandbox needs only requirements.lock, a third of the download, so whoever wants a look
# does not wait for a browser driver and a Postgres; requirements-dev.lock adds to it and never changes a version of it.
#
# ARGS="..." is passed on: make test ARGS="tests/unit -x", make sandbox ARGS="--help".

SHELL := /bin/sh
BIN := .venv/bin
# With `python -m`, no script's first line names the interpreter, so a path with spaces in it does no harm.
PY := $(BIN)/python -m
CODE = $(wildcard bot tests migrations bench)
# Processes that share the tests; each brings its own Postgres. Two a core, as most of what tests do is to wait.
WORKERS = $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
COVERAGE_ARGS := --cov --cov-report=term

.DEFAULT_GOAL := help
.PHONY: help sandbox serve test chaos fuzz check format format-check lint types contracts bench pictures build sbom lock clean environment runtime bench-environment

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ------------------------------------------------------------------------------------------------------------- to use it

sandbox: runtime ## Try the bot in a browser, without Slack or Datadog (PORT=... for another port)
	@exec $(BIN)/workflow-bot sandbox $(if $(PORT),--port $(PORT)) $(ARGS)

serve: runtime ## Run the bot with the settings in the environment
	@exec $(BIN)/workflow-bot serve $(ARGS)

# ------------------------------------------------------------------------------------------------------------- to test it

# In the order of the folders, whose last is the quick one: nobody waits in the end for one long test.
test: environment ## Run all tests, on SQLite and on a real Postgres
	$(PY) pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(if $(COVERAGE),$(COVERAGE_ARGS)) $(ARGS)

# `make test` has a short run of it. SQLite in one process, Postgres under three; docs/chaos.md says what is counted.
chaos: environment ## Kill, stop and cut off the bot at random and at every await, and count (25 minutes)
	$(PY) tests.chaos --database sqlite --runs 900 --kills 150 --stops 24 --rate 4 $(ARGS)
	$(PY) tests.chaos --database postgres --runs 1300 --kills 220 --stops 34 --restarts 10 --rate 5 $(ARGS)
	$(PY) tests.chaos --database sqlite --every-await
	$(PY) tests.chaos --database postgres --every-await

# `make test` has a small part of it.
fuzz: environment ## Send 20,000 malformed requests and 10,000 malformed payloads, on each database (20 minutes)
	$(PY) tests.fuzz --database sqlite $(ARGS)
	$(PY) tests.fuzz --database postgres $(ARGS)

# One step after the other, each with its time; the last one is `make test`, with coverage on.
check: environment ## Everything CI runs: format, lint, types, import contracts, tests with coverage
	@for step in format-check lint types contracts test; do \
		echo "--- make $$step"; began=$$(date +%s); \
		$(MAKE) --no-print-directory $$step COVERAGE=1 || exit 1; \
		echo "--- make $$step: $$(( $$(date +%s) - began )) s"; \
	done

format: environment ## Format the code and repair what can be repaired safely
	$(PY) ruff check --fix-only --quiet .
	$(PY) ruff format .

format-check: environment
	$(PY) ruff format --check .

lint: environment ## Check the rules for code (ruff)
	$(PY) ruff check .

types: environment ## Check the types (mypy, strict)
	$(PY) mypy $(CODE)

contracts: environment ## Check which room may import which (import-linter)
	$(BIN)/lint-imports --no-cache

bench: bench-environment ## Measure speed, each figure as a ratio with both sides in one run
	$(PY) bench $(ARGS)

pictures: environment ## Take the pictures of the documents anew (needs a Chromium)
	$(PY) docs.pictures.make

# ------------------------------------------------------------------------------------------------------- to work with it

build: environment ## Build the wheel into dist/
	$(PY) uv build --wheel --no-build-isolation --python $(BIN)/python --out-dir dist

# Of an environment that has what requirements.lock names and nothing else: versions, licences, and what needs what. Where it
# is made does not show in it.
SBOM = dist/workflow-bot.cdx.json
SBOM_ENVIRONMENT = build/sbom-environment
sbom: environment ## Write the software bill of materials (CycloneDX) into dist/
	$(PY) venv --clear --without-pip $(SBOM_ENVIRONMENT)
	$(PY) uv pip install --quiet --python $(SBOM_ENVIRONMENT)/bin/python --require-hashes -r requirements.lock
	@mkdir -p $(dir $(SBOM))
	$(PY) cyclonedx_py environment --pyproject pyproject.toml --output-reproducible --validate -o $(SBOM) \
		$(SBOM_ENVIRONMENT)/bin/python

# The header of a lock would name this machine's paths, so there is none. Locks hold hashes and no address.
# `make lock ARGS=--upgrade` takes the newest versions that pyproject.toml allows.
COMPILE = $(PY) uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(ARGS)

lock: environment ## Write the lock files anew from pyproject.toml
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) pyproject.toml --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	$(COMPILE) pyproject.toml --extra dev --extra bench --constraint requirements-dev.lock --output-file requirements-bench.lock
	$(COMPILE) --group setup --constraint requirements-dev.lock --output-file requirements-setup.lock

clean: ## Remove the environment, caches and built files (not data/)
	rm -rf .venv .venv.unfinished dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------------------- the environment

runtime:
	@scripts/set-up requirements.lock

environment: ## Set up .venv with everything for development
	@scripts/set-up requirements-dev.lock

bench-environment: # with the two packages that only the bot's rivals in the benchmark need
	@scripts/set-up requirements-bench.lock
