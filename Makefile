# `make bench` and `make test` set up what they need. `make help` lists the targets.

PYTHON ?= python3
PRESET ?= standard
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
APP_LOCKS := $(patsubst %.in,%.txt,$(wildcard apps/*/requirements.in))

.DEFAULT_GOAL := help
.PHONY: help setup bench test check fix report bench-driver bench-latency lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PRESET=quick|standard|thorough chooses how long to measure, ARGS='…' adds options, PYTHON=… the interpreter."

setup: $(VENV)/.complete ## make .venv with the bench command in it

# The scripts of a virtual environment name its folder and its interpreter. One that PYTHON=… chose stays until another
# is chosen.
IDENTITY := import sys; print(sys.version.split()[0], sys.base_prefix)
IS_OF := $(shell $(BIN)/python -c '$(IDENTITY)' 2>/dev/null) $(shell cat $(VENV)/.folder 2>/dev/null)
SHOULD_BE_OF := $(shell $(if $(filter file,$(origin PYTHON)),$(BIN)/python,$(PYTHON)) -c '$(IDENTITY)' 2>/dev/null) $(CURDIR)
ifneq ($(IS_OF),$(SHOULD_BE_OF))
.PHONY: $(VENV)/.complete
endif

# Made again when the locks, the interpreter or the folder change; otherwise there is nothing to do.
$(VENV)/.complete: requirements/uv.txt requirements/dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "setup: found no $(PYTHON), expected Python 3.11 or newer; install it, or name one: make PYTHON=python3.13" >&2; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: found $$($(PYTHON) --version), expected Python 3.11 or newer; name one: make PYTHON=python3.13" >&2; exit 3; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "setup: $(PYTHON) has no venv module; install it (Debian and Ubuntu: apt install python3-venv)" >&2; exit 3; }
	@echo "setup: making $(VENV)" >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements/dev.txt
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@echo '$(CURDIR)' > $(VENV)/.folder
	@touch $@

bench: setup ## measure every Lane and report; PRESET=quick takes a minute
	@$(BIN)/bench run --preset $(PRESET) $(ARGS)

test: setup ## run the tests
	@$(BIN)/pytest $(ARGS)

check: setup ## check everything without editing: format, lint, types, dead code, tests of layering, docs and schemas
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/vulture
	@$(BIN)/pytest tests/test_layering.py tests/test_docs.py tests/test_words.py

fix: setup ## format, mend what can be mended by itself, write the JSON Schemas, and the tables of reasons and of exports
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/python docs/schemas/write.py
	@$(BIN)/python docs/write_reasons.py
	@$(BIN)/python docs/write_exports.py

report: setup ## make all reports of the latest run again
	@$(BIN)/bench report latest

bench-driver: setup ## compare the driver with FastHttpUser and wrk on one core
	@$(BIN)/python benchmarks/driver.py $(ARGS)

bench-latency: setup ## hold reported latencies against known delays, and medians against wrk and k6
	@$(BIN)/python benchmarks/latency.py $(ARGS)

# A lock that comes out the same is left alone: .venv is made again where one is newer.
lock: setup ## make all locks again from their .in files and pyproject.toml; --upgrade with ARGS
	@new=$$(mktemp) && trap 'rm -f "$$new"' EXIT && \
	lock() { \
		lock=$$1 && shift && \
		if test -e "$$lock"; then cat "$$lock"; fi > "$$new" && \
		$(COMPILE) $(ARGS) "$$@" --output-file "$$new" && \
		if ! cmp -s "$$new" "$$lock"; then cat "$$new" > "$$lock"; fi; \
	} && \
	lock requirements/uv.txt requirements/uv.in && \
	lock requirements/dev.txt pyproject.toml --extra dev --constraint requirements/uv.txt && \
	lock requirements/servers.txt requirements/servers.in && \
	for app in $(APP_LOCKS); do lock "$$app" "$${app%.txt}.in" --constraint requirements/servers.txt || exit; done

clean: ## remove everything that was made, but no results
	@rm -rf $(VENV) .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
