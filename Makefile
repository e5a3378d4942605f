# Two commands matter: `make run` (the product on this machine) and `make test`. Python 3.11 or newer and make suffice.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
IDEA ?= A URL shortener with tests

.DEFAULT_GOAL := help
.PHONY: help run demo test check fix proto lock bench watchers kills kill-matrix redis-lost many-jobs eta clean

help: ## Show what can be done
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run ## Start everything; prints where it is ready; Ctrl-C stops it
	@exec $(BIN)/python -m cofounder_server run

demo: $(VENV)/.run ## Build IDEA="…" once in this terminal; exits as the build ends
	@exec $(BIN)/python -m cofounder_server demo "$(IDEA)"

test: check ## Check everything, then run all tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

check: $(VENV)/.dev ## Types, style, layers, contract, generated code
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code proto
	$(BIN)/python proto/generate.py --check
	$(BIN)/python proto/breaking.py

fix: $(VENV)/.dev ## Put into form what can be
	$(BIN)/ruff check -q --fix .
	$(BIN)/ruff format -q .
	$(BIN)/buf format -w proto

proto: $(VENV)/.dev ## Generate the contract's code
	$(BIN)/buf format -w proto
	$(BIN)/python proto/generate.py

watchers: $(VENV)/.dev ## Watch one build in five ways and compare every event
	$(BIN)/python -m cofounder_testkit watchers

kills: $(VENV)/.dev ## Kill worker, server and gateway in mid-build and check every record
	$(BIN)/python -m cofounder_testkit kills

eta: $(VENV)/.dev ## Measure how well the likely starts of waiting builds hold
	$(BIN)/python -m cofounder_testkit eta

# A forked child must not run gRPC's handlers: it only becomes another program.
kill-matrix: export GRPC_ENABLE_FORK_SUPPORT := 0
kill-matrix: $(VENV)/.dev ## Every victim, every signal, every moment of a build; CELLS="--sample 20" plays some
	$(BIN)/python -m cofounder_testkit kill-matrix $(CELLS)

redis-lost: $(VENV)/.dev ## Redis emptied, put back from an old snapshot, away, each with 200 queued builds
	$(BIN)/python -m cofounder_testkit redis-lost

many-jobs: $(VENV)/.dev ## 1 000 jobs over 4 workers; then the same checks on variants that lack a guard
	$(BIN)/python -m cofounder_testkit many-jobs

bench: $(VENV)/.dev ## Measure against the floor, in one run
	$(BIN)/python -m bench

lock: $(VENV)/.dev ## Resolve the dependencies anew
	$(BIN)/python -m uv pip compile pyproject.toml --extra machine $(LOCKING) -o requirements.lock
	$(BIN)/python -m uv pip compile pyproject.toml --extra dev $(LOCKING) -c requirements.lock -o requirements-dev.lock

LOCKING := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q

clean: ## Remove the environment; data stays
	rm -rf $(VENV)

$(VENV)/.uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	@echo "making $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements-uv.lock
	@touch $@

# What the tests need stays where it is installed.
$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/.uv
	@if test -e $(VENV)/.dev; then $(call install,requirements-dev.lock) && touch $(VENV)/.dev; \
	else $(call install,requirements.lock); fi
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/.uv
	@$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/.run

# Every package by its hash; our own as it lies here, built by the locked back end.
define install
echo "installing from $(1) …" && \
VIRTUAL_ENV=$(VENV) $(BIN)/python -m uv pip sync -q --require-hashes requirements-uv.lock $(1) && \
VIRTUAL_ENV=$(VENV) $(BIN)/python -m uv pip install -q --no-deps --no-build-isolation --offline -e .
endef
