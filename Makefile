# The commands of a work tree. Each needs only make and Python 3.11 or newer: the environment is made on first use
# from the locked requirements, and again whenever these or pyproject.toml change.
#
# PYTHON   the interpreter that makes the environment        make test PYTHON=python3.12
# VENV     where the environment is                          make test VENV=/tmp/venv
# WORKERS  how many processes run the tests                  make test WORKERS=8
# ARGS     further arguments for the target's program        make test ARGS='-k gate -x'

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
ARGS ?=

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.interlock-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url

.DEFAULT_GOAL := help
.PHONY: help install demo test mutation fuzz proofs-exhaustive bench check proto fmt lock

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(INSTALLED) ## make the environment and install Interlock into it, editable

demo: $(INSTALLED) ## play a release's story against a real server, in under a minute
	$(BIN)/python ops/demo.py $(ARGS)

test: $(INSTALLED) ## run the whole suite against real servers
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

mutation: $(INSTALLED) ## run the verifier at every byte of one entry of each command
	$(BIN)/python -m tests.exhaustive.mutation $(ARGS)

fuzz: $(INSTALLED) ## fuzz every reader of foreign bytes for a moment; ARGS='note --seconds 600 --keep'
	$(BIN)/python -m tests.fuzz $(ARGS)

proofs-exhaustive: $(INSTALLED) ## hold 1.2 million proofs against an independent implementation; minutes
	$(BIN)/python -m tests.exhaustive.proofs

bench: $(INSTALLED) ## measure against peers in one run; ARGS='gate --rounds 7' for some rows
	$(BIN)/python -m tests.bench $(ARGS)

check: $(INSTALLED) ## check format, lint, types, the contract and its generated code; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python ops/make_proto.py --check

proto: $(INSTALLED) ## generate the code beside the .proto files and lint them
	$(BIN)/python ops/make_proto.py $(ARGS)

fmt: $(INSTALLED) ## format the code and apply the linter's safe fixes
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock: $(INSTALLED) ## compile the requirements files; ARGS=--upgrade takes newer versions
	$(LOCK) $(ARGS) --extra dev --output-file requirements-dev.txt pyproject.toml
	$(LOCK) --extra server --constraints requirements-dev.txt --output-file requirements.txt pyproject.toml

# The project itself is installed without its dependencies and without build isolation, so that everything that is
# fetched is in the lock and has a hash.
$(INSTALLED): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Interlock needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes --requirement requirements-dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
