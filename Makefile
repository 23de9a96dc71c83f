# Every command of the project. `make` alone lists them.
#
#     make book PYTHON=/path/to/python3.12     chooses the Python that .venv is made from
#     make test PYTEST="-m 'not slow'"         hands arguments to pytest

PYTHON ?=
PYTEST ?=

VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

# Not compiling what may never be imported halves the time of an installation.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt

# scvi-tools wants other versions than the rest, so it has an environment and pins of its own.
SCVI := $(VENV)-scvi
SCVI_PYTHON := $(SCVI)/$(notdir $(BIN))/python
SCVI_LOCK := $(SCVI)-lock/$(notdir $(BIN))/python
SCVI_INSTALL := $(SCVI_PYTHON) -m pip install --quiet --no-compile --constraint constraints-scvi.txt
SCVI_NEEDS := --editable ".[plot,scvi]" hypothesis pytest
INDEX := book/_build/html/index.html
BUILT := book/_build/.built
PAGES_OF := $(shell find book velotrace data -type f -not -path 'book/_build/*' -not -name '*.pyc')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help book editions students pdf test test-book test-torch test-scvi test-wheel lint format wheel golden bench bench-book hooks lock \
        lock-scvi clean distclean

help: ## list the commands
	@echo "velotrace: each command sets up what it needs by itself, in $(VENV)"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

book: $(VENV)/.book ## build the book and say where it is
	@rm -rf $(BUILT) $(addprefix book/_build/,html students print velotrace.pdf jupyter_execute)
	PATH="$(CURDIR)/$(BIN):$$PATH" PYDEVD_DISABLE_FILE_VALIDATION=1 \
	  $(BIN)/jupyter-book build book --warningiserror --nitpick --keep-going --all
	@touch $(BUILT)
	@echo
	@echo "The book is built. Open this page in a browser:"
	@echo "  $(CURDIR)/$(INDEX)"

# The editions are written from the executed pages, which are built anew only where something has changed since.
$(BUILT): $(VENV)/.book $(PAGES_OF)
	@$(MAKE) --no-print-directory book

editions: students pdf ## write both: the students' edition and the PDF

students: $(BUILT) ## write the students' edition of the book, in which no file holds an answer
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python book/build_edition.py students

pdf: $(BUILT) $(VENV)/.test ## print the book with Chromium: every chapter, answers at the end
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python book/build_edition.py pdf

test: lint ## check style, types and pre-commit configuration, then run the tests
	$(BIN)/python -m pytest --numprocesses auto -m "not browser" $(PYTEST)

lint: $(VENV)/.test ## check style and types only
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pre_commit validate-config

format: $(VENV)/.test ## mend what ruff can mend
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

test-book: $(VENV)/.test ## read the book and its editions, mostly in Chromium, and run its notebooks; none may be absent
	@test -f $(INDEX) || { echo "There is no built book: run 'make book editions' first." >&2; exit 1; }
	VELOTRACE_BOOK=required $(BIN)/python -m pytest --numprocesses auto --dist worksteal -m browser $(PYTEST)
	VELOTRACE_BOOK=required $(BIN)/python -m pytest --numprocesses auto tests/test_book_notebooks.py tests/test_book_markup.py $(PYTEST)

wheel: $(VENV)/.test ## build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

test-torch: $(VENV)/.test ## compare with the independent program in PyTorch (installs it, some 200 MB)
	$(INSTALL) --editable ".[bench,exercises,parquet,play,plot,step,test]"
	$(BIN)/python -m pytest tests/test_torch_reference.py tests/test_torch_agreement.py $(PYTEST)

test-scvi: $(SCVI)/.installed ## compare with the real module of scvi-tools (installs it in .venv-scvi, some 1.5 GB)
	$(SCVI_PYTHON) -m pytest tests/test_scvi_tools.py tests/test_scvi_training.py tests/test_scvi_settings.py $(PYTEST)

test-wheel: $(VENV)/.test ## build the wheel, unpack it elsewhere and run the walkthrough from there
	@set -eu; there=$$(mktemp -d); trap 'rm -rf "$$there"' EXIT; \
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir "$$there" .; \
	$(BIN)/python -m pip install --quiet --no-deps --target "$$there/site" "$$there"/velotrace-*.whl; \
	python="$(CURDIR)/$(BIN)/python"; cd "$$there"; export PYTHONPATH="$$there/site"; \
	"$$python" -c 'import velotrace; print("imported from", velotrace.__file__)'; \
	"$$python" -m velotrace.cli trace >/dev/null; \
	echo "The wheel runs the walkthrough."

golden: $(VENV)/.test ## write the golden test vectors anew, after a change that moves numbers on purpose
	$(BIN)/python -m velotrace.cli vectors -o data/golden/walkthrough.json

bench: $(SCVI)/.installed ## run the benchmarks, against PyTorch and scvi-tools too (in .venv-scvi)
	$(SCVI_PYTHON) -m benchmarks

bench-book: $(VENV)/.book ## time the book's build against a book that only imports the same
	$(BIN)/python -m benchmarks.book

hooks: $(VENV)/.test ## have git run the checks before each commit
	$(BIN)/python -m pre_commit install

# The set-up. A stamp is made when a step has succeeded, and made anew when what it depends on changes.

$(VENV)/.python:
	@usable() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; \
	if usable $(BIN)/python && $(BIN)/python -m pip --version >/dev/null 2>&1; then exit 0; fi; \
	for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python); do \
	  usable "$$python" && break; python=; \
	done; \
	if test -z "$$python"; then \
	  echo "velotrace needs Python 3.11 or newer. Install it, or name it: make PYTHON=/path/to/python" >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.book: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing velotrace and what its book needs (about a minute, the first time)"
	@$(INSTALL) --editable ".[book]"
	@touch $@

$(VENV)/.test: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing velotrace and what its tests need (about a minute, the first time)"
	@$(INSTALL) --editable ".[exercises,parquet,play,plot,step,test]"
	@touch $@

# PyTorch first and exactly: another one may come with several GB of packages for GPUs.
$(SCVI)/.installed: $(VENV)/.python pyproject.toml constraints-scvi.txt
	@echo "Installing velotrace, PyTorch and scvi-tools in $(SCVI) (some minutes, the first time)"
	@$(BIN)/python -m venv $(SCVI)
	@$(SCVI_INSTALL) "$$(grep '^torch==' constraints-scvi.txt)"
	@$(SCVI_INSTALL) $(SCVI_NEEDS)
	@touch $@

# Raising the pins: edit pyproject.toml, run `make lock`, then `make test book test-book`.
lock: $(VENV)/.python ## write constraints.txt anew, with the newest versions that pyproject.toml allows
	@rm -rf $(VENV)-lock && $(BIN)/python -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install --quiet --no-compile --upgrade setuptools --editable ".[dev]"
	@grep '^#' constraints.txt >$(VENV)-lock/constraints.txt
	@$(VENV)-lock/bin/python -m pip freeze --all --exclude-editable --exclude pip | LC_ALL=C sort -f \
	  >>$(VENV)-lock/constraints.txt
	@! grep -nE '://| @ ' $(VENV)-lock/constraints.txt
	@mv $(VENV)-lock/constraints.txt constraints.txt && rm -rf $(VENV)-lock

lock-scvi: $(VENV)/.python ## write constraints-scvi.txt anew, for test-scvi and bench
	@rm -rf $(SCVI)-lock && $(BIN)/python -m venv $(SCVI)-lock
	@$(SCVI_LOCK) -m pip install --quiet --no-compile --upgrade setuptools torch==2.13.0
	@$(SCVI_LOCK) -m pip install --quiet --no-compile $(SCVI_NEEDS)
	@grep '^#' constraints-scvi.txt >$(SCVI)-lock/constraints.txt
	@$(SCVI_LOCK) -m pip freeze --all --exclude-editable --exclude pip | sed 's/+cpu$$//' | LC_ALL=C sort -f \
	  >>$(SCVI)-lock/constraints.txt
	@! grep -nE '://| @ ' $(SCVI)-lock/constraints.txt
	@mv $(SCVI)-lock/constraints.txt constraints-scvi.txt && rm -rf $(SCVI)-lock

clean: ## remove what was built
	rm -rf book/_build build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find velotrace tests benchmarks book -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## remove the environments as well
	rm -rf $(VENV) $(VENV)-lock $(SCVI) $(SCVI)-lock
