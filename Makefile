# Every target does its own set-up: on a new machine, `make demo` is enough.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo test lint bench lock
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.ready ## Make .venv with everything in it, versions and hashes locked

# uv where it is present, pip otherwise.
$(VENV)/.ready: requirements.lock pyproject.toml setup.py
	@rm -rf $(VENV)
	@if command -v uv >/dev/null; then \
	  set -ex; \
	  uv venv --quiet --python $(PYTHON) $(VENV); \
	  uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes \
	    -r requirements.lock; \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  set -ex; \
	  $(PYTHON) -m venv $(VENV); \
	  $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock; \
	  $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

demo: setup ## Train on the demo faces, about six minutes on two cores
	$(BIN)/dcgan run --profile demo

test: setup ## Run all tests
	$(BIN)/pytest

lint: setup ## Check style, types and the rules of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure speed, as ratios side by side (JSON=FILE keeps them)
	$(BIN)/python tests/benchmarks/train_step.py $(if $(JSON),--json $(JSON))

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra dev --generate-hashes --python-version 3.11 \
	  --no-header --no-emit-index-url --no-emit-find-links --upgrade -o requirements.lock
