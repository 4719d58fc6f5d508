# threadbridge: `make demo` chats with a bot in the browser, `make test` runs the whole suite.
PYTHON ?= python3
PORT ?= 8080
BIN := .venv/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE = build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' --group build $(ARGS)
BESIDE = -n auto --dist worksteal
ONE_MORE = $$($(BIN)/python -c 'import os; print(os.cpu_count() + 1)') # workers: tests wait for disks and processes in between

.DEFAULT_GOAL := help
.PHONY: demo test fast check format soak bench peers mutants lock clean help
# Tests start hundreds of processes: each would compile the packages anew.
unexport PYTHONDONTWRITEBYTECODE

demo: .venv/installed ## Chat with a bot at http://127.0.0.1:8080/console (PORT=... for another port)
	$(BIN)/threadbridge demo --port $(PORT)

test: .venv/tested ## Run the whole test suite, on all processors (ARGS="-n 0" on one)
	$(BIN)/pytest -q -m "not soak" $(BESIDE) -n $(ONE_MORE) $(ARGS)

fast: .venv/tested ## Run the quick ones of the unit tests, in under a minute
	$(BIN)/pytest -q -m "not soak and not slow" $(BESIDE) -n $(ONE_MORE) tests/unit $(ARGS)

check: .venv/tested ## Types (mypy; pyright for what authors write), lint, formatting, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.docs.code_of_pages build/pages
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: .venv/tested ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: .venv/tested ## The long fault and fuzz runs, and the searches and drills of simulation at full size
	$(PIP) 'atheris>=3,<4' \
		|| echo "atheris cannot be installed here: the tests that fuzz with it are skipped"
	$(BIN)/pytest -q -m soak $(ARGS)
	HYPOTHESIS_PROFILE=search $(BIN)/pytest -q -m "not soak" $(BESIDE) tests/simulation tests/unit/engine $(ARGS)

bench: .venv/tested ## The benchmarks, as ratios
	$(BIN)/threadbridge bench $(ARGS)

peers: .venv-peers/installed ## Other frameworks, for `threadbridge bench peers`, in an environment of their own

mutants: .venv/tested ## A sample of small mistakes in the code, and which of them the tests notice
	$(BIN)/python -m tests.bench.mutants $(ARGS)

lock: build/lock/bin/uv ## Pin what pyproject.toml asks for, with hashes (ARGS=--upgrade for newer releases)
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra test --constraints requirements.lock --output-file requirements-test.lock pyproject.toml

clean: ## Remove what was built
	rm -rf .venv .venv-peers build dist *.egg-info

help: ## This list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml requirements.lock
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

.venv/tested: .venv/installed requirements-test.lock
	$(PIP) --require-hashes -r requirements-test.lock
	sh tests/install_browser.sh
	touch $@

.venv-peers/installed: tests/bench/peers/requirements.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	.venv-peers/bin/python -m pip list --disable-pip-version-check
	touch $@

build/lock/bin/uv:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
