# Two commands: `make train` (the main job, on the embedded data) and `make test`. Both set up .venv first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUN ?= runs/hopper
# Files go to the workers whole: what a file's tests share is made once. The longest files first (tests/support/order.py).
# One thread a worker, and a worker a core: more threads than cores slow each other down.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Parts whose tests train little and start no commands.
QUICK := tests/test_layout.py tests/core tests/data tests/envs tests/methods tests/nn tests/ope tests/theory

.PHONY: train test fast exhaustive evidence notebooks lint clean

train: $(VENV)/installed
	$(BIN)/python -m deep.train --task HopperVel --processes 2 --out $(RUN) $(if $(wildcard $(RUN)/config.json),--resume)

# All but what is marked exhaustive: what CI runs.
test: $(VENV)/installed
	$(PYTEST) tests verification

# Between two edits: one part and its neighbours, without commands, process kills and long trainings.
fast: $(VENV)/installed
	$(PYTEST) -m "not exhaustive and not slow" $(QUICK)

# What `make test` leaves out: 136 process kills at random moments, every digit of the certificates, all certified runs,
# the whole search, the notebooks that compute, trainings of methods whose family has another one in `make test`, and
# lattice results that must not be stale. CONTRIBUTING.md names the files.
exhaustive: $(VENV)/installed
	$(PYTEST) -m exhaustive tests verification

# What `verification/` keeps of runs, proofs and verdicts, made again: after a change of code that they depend on.
# About six minutes, with Coq and Coq-Interval. The lattice study trains and has a command of its own.
evidence: $(VENV)/installed
	$(BIN)/python -m verification.intervals
	$(BIN)/python -m verification.formal --export
	$(BIN)/python -m verification.ledger
	$(BIN)/python -m verification.report
	$(BIN)/python -m verification.measured

notebooks: $(VENV)/installed
	$(BIN)/python notebooks/build.py

# Fails where ruff or pyright cannot be installed or run: nothing is skipped.
lint: $(VENV)/linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --version
	$(BIN)/pyright

$(VENV)/installed: pyproject.toml constraints.txt requirements-legacy.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt -e '.[test,cluster,export,notebooks]'
	$(BIN)/python -m pip install --no-deps -c constraints.txt -r requirements-legacy.txt
	touch $@

$(VENV)/linters: $(VENV)/installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[lint]'
	touch $@

clean:
	rm -rf $(VENV)
