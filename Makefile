# `make score` and `make test` are all that a newcomer needs; the others are for developing.
PYTHON ?= python3
VENV ?= .venv
EXTRA ?=
BIN := $(VENV)/bin

.PHONY: score install test lint types check bench clean

## From a bare clone to a HumanEval score of a real model
score: install
	$(BIN)/trueval run

## Run the tests, a file at a time on each core
# Compiled files have to be kept: tests start hundreds of processes.
test: install
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n auto --dist loadfile

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "trueval needs Python 3.11 or newer; try: make PYTHON=python3.12" >&2; exit 1; }
	@echo "making $(VENV) and installing trueval with its embedded engine (about 500 MB)"
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded,dev]' $(EXTRA)
	@touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

## Everything that has to hold before a change lands
check: lint types test

## Measure beside peers, and write benchmarks/results/
bench: $(VENV)/.bench
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/client.py
	$(BIN)/python benchmarks/generation.py

$(VENV)/.bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded,dev,bench]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
