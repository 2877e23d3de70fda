# Two commands: `make train` (the main job, on the embedded data) and `make test`. Both set up .venv first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUN ?= runs/hopper
# Files go to the workers whole: what a file's tests share is made once.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: train test notebooks lint clean

train: $(VENV)/installed
	$(BIN)/python -m deep.train --task HopperVel --out $(RUN) $(if $(wildcard $(RUN)/config.json),--resume)

test: $(VENV)/installed
	$(PYTEST)
	$(PYTEST) verification

notebooks: $(VENV)/installed
	$(BIN)/python notebooks/build.py

lint: $(VENV)/installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[lint]'
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright

$(VENV)/installed: pyproject.toml constraints.txt requirements-legacy.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt -e '.[test,cluster,export,notebooks]'
	$(BIN)/python -m pip install --no-deps -c constraints.txt -r requirements-legacy.txt
	touch $@

clean:
	rm -rf $(VENV)
