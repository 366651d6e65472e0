# Every target does its own set-up: on a new machine, `make demo` is enough.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo base images docs test lint bench lock
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

demo: setup ## Train on the demo faces, 4.5 minutes of training
	$(BIN)/dcgan run --profile demo

base: setup ## Train the base anew, from pictures that Node.js draws (hours)
	mkdir -p build/base && cp infra/base/*.json infra/base/*.mjs build/base
	cd build/base && npm ci --ignore-scripts && \
	  node make_pictures.mjs --out pictures --count 40000 --seed 1
	$(BIN)/dcgan run --profile demo --config infra/base/base.yaml --runs-dir build/base/runs \
	  --require-blessed
	newest=$$(ls -d build/base/runs/published/base/* | sort -V | tail -n 1) && \
	  cp "$$newest"/generator.keras "$$newest"/discriminator.npz "$$newest"/model.json \
	  components/train/base

images: ## Build the step images (REGISTRY= TAG= ACCELERATOR=gpu PUSH=1; see docs/containers.md)
	@$(PYTHON) infra/images/build.py --registry="$(REGISTRY)" --tag="$(TAG)" \
	  --accelerator=$(or $(ACCELERATOR),cpu) --python-image="$(PYTHON_IMAGE)" \
	  --beam-sdk-image="$(BEAM_SDK_IMAGE)" --pip-conf="$(PIP_CONF)" --ca="$(CA)" \
	  $(if $(PUSH),--push)

docs: setup ## Make docs/settings.md anew from the models of the settings
	$(BIN)/python -m pipeline.settings

test: setup ## Run all tests, in two processes
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder  # the many small files last

lint: setup ## Check style, types and the rules of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy infra/images/build.py
	$(BIN)/lint-imports

bench: setup ## Measure speed, as ratios side by side (JSON=FOLDER keeps them; FACES=FOLDER)
	$(if $(JSON),mkdir -p $(JSON))
	$(BIN)/python tests/benchmarks/ingest.py $(if $(FACES),--faces $(FACES)) \
	  $(if $(JSON),--json $(JSON)/ingest.json)
	$(BIN)/python tests/benchmarks/evaluate.py $(if $(JSON),--json $(JSON)/evaluate.json)
	$(BIN)/python tests/benchmarks/scores.py $(if $(JSON),--json $(JSON)/scores.json)
	$(BIN)/python tests/benchmarks/train_step.py $(if $(JSON),--json $(JSON)/train_step.json)
	$(BIN)/python tests/benchmarks/patience.py $(if $(JSON),--json $(JSON)/patience.json)
	$(BIN)/python tests/benchmarks/stop.py $(if $(JSON),--json $(JSON)/stop.json)

# tensorflow-cpu stands in for tensorflow in the images; the rest is as in requirements.lock.
LOCKS := infra/images/locks
COMPILE := uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header \
  --no-emit-index-url --no-emit-find-links --upgrade
COMPILE_IMAGE := $(COMPILE) --python-platform x86_64-manylinux_2_28 -c requirements.lock

lock: ## Resolve the dependencies anew (needs uv)
	$(COMPILE) pyproject.toml --extra dev -o requirements.lock
	for lock in ingest tensorflow-cpu transform train evaluate export; do \
	  $(COMPILE_IMAGE) --override $(LOCKS)/override.in $(LOCKS)/$$lock.in \
	    -o $(LOCKS)/$$lock.txt || exit; \
	done
	$(COMPILE_IMAGE) $(LOCKS)/train-gpu.in -o $(LOCKS)/train-gpu.txt
	$(COMPILE_IMAGE) --no-deps $(LOCKS)/kfp.in -o $(LOCKS)/kfp.txt
	$(COMPILE_IMAGE) $(LOCKS)/sbom.in -o $(LOCKS)/sbom.txt
