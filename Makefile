# Fogbank: `make demo` shows it, `make test` proves it, `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SRC := src tests tools benchmarks examples

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-fast crash check format lint types layers coverage bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

venv: $(STAMP) ## make .venv with the fogbank command and everything the tests need

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Fogbank needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing Fogbank and its tools into $(VENV) (once, about a minute)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[sam,audit,dev]'
	@$(BIN)/python -m compileall -q src  # an editable install has no bytecode, and its first start would be slow
	@touch $(STAMP)

demo: venv ## run the order system from its template and watch it survive a kill -9
	@$(BIN)/python examples orders

test: venv ## everything, under 10 minutes on 2 cores
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-fast: venv ## the inner loop, under 60 seconds
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow" --hypothesis-profile=fast

crash: venv ## kill the server 200 times under workflows (some minutes)
	$(BIN)/python -m pytest tests/crash/test_journeys.py --kills 200 -p no:randomly

check: format lint types layers ## what CI checks beside the tests

format: venv
	$(BIN)/ruff format --check $(SRC)

lint: venv
	$(BIN)/ruff check $(SRC)

types: venv
	$(BIN)/mypy

layers: venv
	$(BIN)/lint-imports

coverage: venv ## write docs/coverage.md from the services and the conformance tables
	$(BIN)/python tools/coverage.py

bench: venv ## measure Fogbank beside Moto and MiniStack, in one run
	$(BIN)/python -m benchmarks.run

clean: ## remove the environment and caches
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
