# Each target makes the environment it needs and does what the README says.
PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN = $(VENV)/Scripts
else
BIN = $(VENV)/bin
endif
MADE = $(VENV)/.facelign-dev
CODE = src tests benchmarks tools examples notebooks

.PHONY: demo test check bench docs pages pictures format reproduce gate dist

$(MADE): pyproject.toml
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(MADE)

demo: $(MADE)
	$(BIN)/facelign demo

test: $(MADE)
	$(BIN)/pytest

# Format, lint, types, floors, then the documents: examples in docstrings run, every command and
# model is documented, the pages have no broken link. What needs an extra that is not here is passed
# over. Code blocks of the pages run in `make test`.
check: $(MADE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q -p no:cacheprovider --doctest-modules --doctest-ignore-import-errors \
	  src/facelign tests/docs/test_coverage.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "All checks passed: format, lint, types, floors, documents."

format: $(MADE)
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

bench: $(MADE)
	$(BIN)/python benchmarks/run.py

docs: $(MADE)
	$(BIN)/mkdocs build --strict

# What is generated from code alone: reference pages, figures from made-up numbers, floors. No model.
pages: $(MADE)
	$(BIN)/python tools/make_reference_pages.py
	$(BIN)/python tools/make_doc_pictures.py plots floors values

# Every picture of the documents; needs `facelign models pull default dlib-5 dlib-68`.
pictures: $(MADE)
	$(BIN)/python tools/make_doc_pictures.py

# Error rates on real faces (../shared) against the recorded baseline; exit 1 when they worsen.
gate: $(MADE)
	$(BIN)/python tools/gate.py

# The articles' figures beside facelign's own: docs/reproduction.md. Rows that are measured stay.
reproduce: $(MADE)
	$(BIN)/python tools/reproduce.py

# The wheel and the source distribution, as they would be uploaded: the same bytes from one commit.
DIST ?= dist
dist: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
dist: $(MADE)
	$(BIN)/python -m build --outdir '$(DIST)'
