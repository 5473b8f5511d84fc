# `make demo` and `make test` are all that a newcomer needs; both set up the environment first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export SPARK_HOME ?= $(CURDIR)/.spark
# Two processes with two threads each beat four that fight for two cores.
export OMP_NUM_THREADS ?= 2

.PHONY: help setup demo test check format protos bench eval clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(READY) ## create .venv with pinned dependencies

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q torch -c constraints.txt
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

demo: $(READY) ## reconstruct a sample image through the real services
	$(BIN)/spark up
	$(BIN)/spark reconstruct examples/microwave.png -o out/demo/asset
	$(BIN)/spark validate out/demo/asset
	@echo "asset:   $(CURDIR)/out/demo/asset"
	@echo "picture: $(CURDIR)/out/demo/asset/preview.png"
	@echo "'.venv/bin/spark down' stops the services (SPARK_HOME=$(SPARK_HOME))"

test: $(READY) ## run the tests
	$(BIN)/pytest

check: $(READY) ## lint and type-check everything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code protos

format: $(READY) ## format code and contracts
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format -w protos

protos: $(READY) ## generate code from the contracts
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/buf generate

clean: ## remove what the targets above made
	rm -rf $(VENV) out .spark .mypy_cache .ruff_cache .pytest_cache .hypothesis
