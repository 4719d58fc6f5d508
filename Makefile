# threadbridge: `make demo` chats with a bot in the browser, `make test` runs the whole suite.
PYTHON ?= python3
PORT ?= 8080
BIN := .venv/bin

.PHONY: demo test check format soak bench lock clean

demo: .venv/installed ## Chat with a bot at http://127.0.0.1:8080/console (PORT=... for another port)
	$(BIN)/threadbridge demo --port $(PORT)

test: .venv/tested ## Run the whole test suite
	$(BIN)/pytest -q -m "not soak" $(ARGS)

check: .venv/tested ## Types, lint, formatting, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/tested ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: .venv/tested ## The long fault and fuzz runs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=3,<4' \
		|| echo "atheris cannot be installed here: the tests that fuzz with it are skipped"
	$(BIN)/pytest -q -m soak $(ARGS)

bench: .venv/tested ## The benchmarks, as ratios
	$(BIN)/python -m tests.bench $(ARGS)

lock: .venv/tested ## Pin what is installed now
	$(BIN)/python -m pip freeze --exclude-editable > requirements.lock

clean: ## Remove what was built
	rm -rf .venv build dist *.egg-info

help: ## This list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[test]'
	sh tests/install_browser.sh
	touch $@
