# Every command there is. `demo` and `test` do their own set-up and work alone on a bare machine.
PYTHON ?= python3
TORCH  ?= torch==2.13.0
BAYBE  ?= baybe==0.15.0
AX     ?= ax-platform==1.3.1
BIN    := .venv/bin

DECISIONS := benchmarks/decision_quality.py
MINUTES   ?= 5

# Threads wait asleep: spinning ones slow a busy machine down.
export OMP_WAIT_POLICY ?= PASSIVE
READY  := .venv/ready

.PHONY: install demo test test-fast check serve bench bench-decisions bench-peers bench-gpu clean

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
	$(BIN)/mypy --explicit-package-bases $(DECISIONS) benchmarks/decisions benchmarks/batch.py benchmarks/choosing
	$(BIN)/lint-imports

serve:
	@echo "The HTTP service and its page are not in this version; the command line is: $(BIN)/pertloop --help" >&2; exit 1

bench: install
	@for each in $(filter-out $(DECISIONS),$(wildcard benchmarks/*.py)); do \
	  echo "== $$each"; $(BIN)/python $$each || exit 1; done
	@echo "== $(DECISIONS): what is done in $(MINUTES) minutes; call again to go on, or make bench-decisions"
	$(BIN)/python $(DECISIONS) --minutes $(MINUTES)

# Every shared screen x strategy x ten seeds: many hours. Killed, it goes on where it was.
bench-decisions: install
	$(BIN)/python $(DECISIONS) --markdown build/decision_quality.md --plot build/decision_quality.png

# BayBE and Ax need environments of their own; without them, those peers are told as refused.
bench-peers: build/peers/ready build/ax/ready

build/peers/ready:
	$(PYTHON) -m venv build/peers
	build/peers/bin/pip install --quiet --disable-pip-version-check "$(TORCH)"
	build/peers/bin/pip install --quiet --disable-pip-version-check "$(BAYBE)"
	@touch build/peers/ready

build/ax/ready:
	$(PYTHON) -m venv build/ax
	build/ax/bin/pip install --quiet --disable-pip-version-check "$(TORCH)"
	build/ax/bin/pip install --quiet --disable-pip-version-check "$(AX)"
	@touch build/ax/ready

bench-gpu: install
	@if ! $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then \
	  echo "skipped: torch finds no CUDA device on this machine"; exit 0; fi; \
	set -e; \
	$(BIN)/python -m pytest -q -rs tests/surrogate/test_on_cuda.py; \
	$(BIN)/python benchmarks/ensemble_step.py --device cuda; \
	for each in "" "--precision tf32" "--precision bf16" "--compile"; do \
	  echo "== retraining $$each"; $(BIN)/python benchmarks/retraining.py --device cuda $$each; done

clean:
	rm -rf .venv .pertloop .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
