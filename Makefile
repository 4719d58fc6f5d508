# threadbridge: `make demo` chats with a bot in the browser, `make test` runs the whole suite.
PYTHON ?= python3
PORT ?= 8080
BIN := .venv/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE = build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(ARGS)
BESIDE = -n auto --dist worksteal
MORE = $$($(BIN)/python -c 'import os; print(os.cpu_count() + 2)') # workers: tests wait for disks and processes in between

.DEFAULT_GOAL := help
.PHONY: demo test fast check format soak bench peers mutants docs dist sbom release audit lock clean help
# Tests start hundreds of processes: each would compile the packages anew.
unexport PYTHONDONTWRITEBYTECODE

demo: .venv/installed ## Chat with a bot at http://127.0.0.1:8080/console (PORT=... for another port)
	$(BIN)/threadbridge demo --port $(PORT)

test: .venv/tested ## Run the whole test suite, on all processors (ARGS="-n 0" on one)
	$(BIN)/pytest -q -m "not soak" $(BESIDE) -n $(MORE) $(ARGS)

fast: .venv/tested ## Run the quick ones of the unit tests, in under a minute
	$(BIN)/pytest -q -m "not soak and not slow" $(BESIDE) -n $(MORE) tests/unit $(ARGS)

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

docs: build/release/installed ## The pages as a site with search, in build/site/html
	build/release/bin/python -m tests.docs.site stage build/site
	cd build/site && ../release/bin/zensical build --strict
	build/release/bin/python -m tests.docs.site check build/site

dist: .venv/tested ## Wheel, sdist and their hashes, in dist/
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	cd dist && sha256sum threadbridge-* > SHA256SUMS && cat SHA256SUMS

sbom: dist build/release/installed ## A CycloneDX list of what an installation consists of, in dist/
	rm -rf build/runtime && $(PYTHON) -m venv build/runtime
	build/runtime/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	build/runtime/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps dist/*.whl
	build/runtime/bin/python -m pip uninstall --quiet --yes setuptools pip
	build/release/bin/cyclonedx-py environment build/runtime --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file dist/threadbridge.cdx.json

release: sbom ## Install wheel and sdist on Python 3.11 to 3.14 and chat with each (PYTHONS=... for others)
	$(BIN)/pytest -q -n 0 tests/release
	$(BIN)/python tests/release/tryout.py dist $(PYTHONS)

audit: .venv/tested build/release/installed ## Hashes and known vulnerabilities of all that is locked
	build/release/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
		--dest build/audit -r requirements.lock -r requirements-test.lock -r requirements-release.lock
	$(BIN)/python -m tests.release.audit build/release/bin/pip-audit $(ARGS)

lock: build/lock/bin/uv ## Pin what pyproject.toml asks for, with hashes (ARGS=--upgrade for newer releases)
	$(COMPILE) --group build --output-file requirements.lock pyproject.toml
	$(COMPILE) --group build --extra test --constraints requirements.lock --output-file requirements-test.lock pyproject.toml
	$(COMPILE) --group release --constraints requirements-test.lock --output-file requirements-release.lock

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

build/release/installed: requirements-release.lock
	$(PYTHON) -m venv build/release
	build/release/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

build/lock/bin/uv:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
