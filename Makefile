# Two commands do everything: `make demo` and `make test`.  Needs git, make and Python >= 3.11 with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.base
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all:

.PHONY: demo test test-real-lnd test-fast bench lint format lock clean

demo: $(BASE)
	PYTHONPATH=src $(BIN)/python -m lnflow demo

test: $(STAMP) lint
	$(BIN)/pytest -q
	@$(MAKE) --no-print-directory test-real-lnd

# Builds lnd once (about four minutes) and runs the suite against a real network; needs Go.
test-real-lnd: $(STAMP)
	@if command -v go >/dev/null; then \
	  $(BIN)/python tests/real_lnd/build.py && LNFLOW_REQUIRE_REAL_LND=1 $(BIN)/pytest -q -m real_lnd tests/real_lnd; \
	else echo "SKIPPED: the real-LND suite needs Go 1.25.10 or newer on the PATH"; fi

test-fast: $(STAMP)
	$(BIN)/pytest -q -m "not real_lnd and not slow"

bench: $(STAMP)
	$(BIN)/python -m benchmarks

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 -o requirements/base.txt requirements/base.in
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 -o requirements/dev.txt requirements/dev.in

$(BASE): requirements/base.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "lnflow needs Python 3.11 or newer as '$(PYTHON)' (another one: make PYTHON=python3.12 ...)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python has no venv here. On Debian or Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once) ..."
	@$(PIP) -r requirements/base.txt
	@touch $(BASE)

$(STAMP): $(BASE) requirements/dev.txt pyproject.toml
	@echo "Installing what tests and tools need (once) ..."
	@$(PIP) -r requirements/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
