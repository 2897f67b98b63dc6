# The two commands a newcomer types are `make demo` and `make test`; both need nothing but python3, venv and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint types wheel bench clean help

help:  ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.core  ## watch three small programs for 20 s and find the one that leaks
	$(BIN)/memanalysis demo $(DEMO)

test: $(VENV)/.test  ## everything the suite needs, then the whole suite
	$(BIN)/python tests/browser.py --install
	$(BIN)/python -m pytest $(PYTEST)

lint: $(VENV)/.dev  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## mypy, strict
	$(BIN)/mypy

wheel: $(VENV)/.dev  ## build the wheel, install it into an empty environment, import it there
	$(BIN)/python -m build --wheel --outdir dist .
	rm -rf build/empty && $(PYTHON) -m venv build/empty
	build/empty/bin/pip install --quiet dist/memanalysis-*.whl
	cd build && empty/bin/python -c "import memanalysis; print(memanalysis.__version__)" && empty/bin/memanalysis --version
	cd build && empty/bin/python -c "from memanalysis import MemoryPolicyLoader as L; print(L('none.yaml').get_budget('messaging'))"

bench: $(VENV)/.bench  ## figures beside those of the founding documents
	$(BIN)/python -m benchmarks

clean:  ## remove what was built
	rm -rf $(VENV) build dist memanalysis/capture/_sampler.*.so memanalysis-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.core

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/.core $(VENV)/.test

$(VENV)/.bench: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[bench]'
	touch $@ $(VENV)/.core
