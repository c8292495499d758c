# Everything runs in a virtual environment of its own; nothing is needed beforehand but Python 3.11+, make and git.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help demo reports test lint types readme vendor format bench clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]' --group dev
	touch $(READY)

demo: $(READY) ## install, fetch models and data, run the quickstart experiment, write reports/quickstart/
	$(BIN)/harness fetch smollm2-135m minilm-l6 bbc-news sentiment-domains
	$(BIN)/harness run examples/quickstart.yaml

reports: demo readme ## everything under reports/ and the README's table; a finished experiment is not run again
	$(BIN)/harness run examples/strategies.yaml
	$(BIN)/harness run examples/kinds.yaml

test: lint types ## everything: lint, types and all tests, those on real models included
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

lint: $(READY) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## mypy --strict on the core
	$(BIN)/mypy

readme: $(READY) ## the table of README.md from reports/quickstart
	$(BIN)/python docs/readme_table.py

vendor: ## fetch the JavaScript that others wrote, at the versions of .ci/vendored.json
	$(PYTHON) .ci/vendor.py

format: $(READY) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## speed: pytest-benchmark suites
	$(BIN)/python -m pytest benchmarks/bench_*.py --benchmark-only

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
