# The two commands a newcomer types are `make demo` and `make test`; both need nothing but python3, venv and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
# the oldest releases have wheels for the oldest Python only
OLDEST_PYTHON ?= $(shell command -v python3.11 || echo $(PYTHON))
NEWEST := .venv-newest
NEWEST_NEEDS := 'hypothesis>=6.100' 'polars>=1.2' 'pytest>=8.0' 'pytest-timeout>=2.3.1' 'pytest-xdist>=3.5' 'scipy>=1.12'
# a shim of pyenv is on the path also where it starts nothing
NEWEST_PYTHON ?= $(shell for each in python3.13 python3.12; do $$each -c 'import venv, ensurepip' 2>/dev/null && echo $$each && break; done)

# a file's tests share what they set up, so a file runs in one process; many wait for a program, so one more than cores
CORES := $(shell getconf _NPROCESSORS_ONLN)
WORKERS ?= $(shell expr $(CORES) + 1)
PARALLEL := -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile
# these tests walk through all objects of their process, again and again: they run where little else is loaded
WALKING := tests/capture tests/classes tests/leaktest tests/watcher

.PHONY: demo test check test-oldest test-newest lint types docs wheel bench clean help

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.core  ## watch three small programs for 20 s and find the one that leaks
	$(BIN)/memanalysis demo $(DEMO)

# those that need the machine to themselves come last, one by one; exit code 5: there is none among those asked for
test: $(VENV)/.test  ## everything the suite needs, then the whole suite, on all cores
	$(BIN)/python tests/browser.py --install
	$(if $(filter tests/%,$(PYTEST)),,$(BIN)/python $(PARALLEL) -m "not alone" $(PYTEST) $(WALKING))
	$(BIN)/python $(PARALLEL) -m "not alone" $(PYTEST) $(if $(filter tests/%,$(PYTEST)),,$(WALKING:%=--ignore=%))
	$(BIN)/python -m pytest -m alone $(PYTEST) || test $$? -eq 5

check: lint types  ## lint, types and the tests that are not marked slow: two minutes on two cores
	$(BIN)/python $(PARALLEL) -n $(CORES) -m "not alone and not slow" $(PYTEST)

# old releases beside new ones of others: what those deprecate is not ours
test-oldest: $(OLDEST)/.test  ## the suite beside the oldest releases that pyproject.toml allows, in an environment of its own
	$(OLDEST)/bin/python $(PARALLEL) -W ignore::DeprecationWarning -m "not alone" $(PYTEST)
	$(OLDEST)/bin/python -m pytest -W ignore::DeprecationWarning -m alone $(PYTEST) || test $$? -eq 5

# what the parts that touch the interpreter need, and not what the whole suite needs
test-newest: $(NEWEST)/.test  ## the suite, or a part, on the newest Python that is found here, in an environment of its own
	$(NEWEST)/bin/python $(PARALLEL) $(PYTEST)

lint: $(VENV)/.dev  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## mypy, strict
	$(BIN)/mypy

docs: $(VENV)/.docs  ## build the documentation into site/, strict
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

wheel: $(VENV)/.dev  ## build the wheel, install it into an empty environment, import it there
	rm -f dist/memanalysis-*.whl
	$(BIN)/python -m build --wheel --outdir dist .
	$(BIN)/python .ci/check_wheel.py dist/memanalysis-*.whl
	rm -rf build/empty && $(PYTHON) -m venv build/empty
	build/empty/bin/pip install --quiet dist/memanalysis-*.whl
	cd build && empty/bin/python -c "import memanalysis; print(memanalysis.__version__)" && empty/bin/memanalysis --version
	cd build && empty/bin/python -c "from memanalysis import MemoryPolicyLoader as L; print(L('none.yaml').get_budget('messaging'))"

bench: $(VENV)/.bench  ## measure every figure that the documents state
	$(BIN)/python -m benchmarks

clean:  ## remove what was built
	rm -rf $(VENV) $(OLDEST) $(NEWEST) build dist site memanalysis/capture/*.so memanalysis-demo
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.core

$(OLDEST)/.test: pyproject.toml .ci/oldest.txt
	$(OLDEST_PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/pip install --quiet --constraint .ci/oldest.txt --editable '.[test]'
	touch $@

$(NEWEST)/.test: pyproject.toml Makefile
	@test -n "$(NEWEST_PYTHON)" || { echo "No python3.13 or python3.12 here."; exit 1; }
	$(NEWEST_PYTHON) -m venv --clear $(NEWEST)
	$(NEWEST)/bin/pip install --quiet --editable . $(NEWEST_NEEDS)
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/.core $(VENV)/.test

$(VENV)/.docs: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@ $(VENV)/.core

# what CI needs, found and installed at once: one part after the other takes twice as long
$(VENV)/.all: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[test,dev,docs,voila]' 'jupyterlab>=4.2' 'notebook>=7.2'
	touch $@ $(VENV)/.core $(VENV)/.test $(VENV)/.dev $(VENV)/.docs

$(VENV)/.bench: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[bench]'
	touch $@ $(VENV)/.core
