# Each target makes the environment it needs and does what the README says.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test check bench docs
$(BIN)/facelign: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $(BIN)/facelign

demo: $(BIN)/facelign
	$(BIN)/facelign demo

test: $(BIN)/facelign
	$(BIN)/pytest

check: $(BIN)/facelign
	$(BIN)/ruff format --check src tests benchmarks tools examples
	$(BIN)/ruff check src tests benchmarks tools examples
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(BIN)/facelign
	$(BIN)/python benchmarks/run.py

docs: $(BIN)/facelign
	$(BIN)/mkdocs build --strict
