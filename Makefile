# Every command there is. `demo` and `test` do their own set-up and work alone on a bare machine.
PYTHON ?= python3
TORCH  ?= torch==2.13.0
BIN    := .venv/bin

# Threads wait asleep: spinning ones slow a busy machine down.
export OMP_WAIT_POLICY ?= PASSIVE
READY  := .venv/ready

.PHONY: install demo test test-fast check serve bench bench-gpu clean

install: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Pertloop needs Python 3.11 or newer; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $(READY)

demo: install
	@$(BIN)/pertloop demo

test: install
	$(BIN)/python -m pytest

test-fast: install
	$(BIN)/python -m pytest -m "not slow"

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

serve:
	@echo "The HTTP service and its page are not in this version; the command line is: $(BIN)/pertloop --help" >&2; exit 1

bench: install
	@for each in benchmarks/*.py; do echo "== $$each"; $(BIN)/python $$each || exit 1; done

bench-gpu: install
	$(BIN)/python benchmarks/ensemble_step.py --device cuda

clean:
	rm -rf .venv .pertloop .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
