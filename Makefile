# Every target works in a fresh clone: what it needs is made first.
# Only relative paths are used, so that the folder's own path may contain spaces.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
ARGS ?=
JOBS ?= 2
# Tests without these markers, which tests/conftest.py sets, start no other program. Some wait: one job more keeps all cores busy.
FAST := not (broker or browser or network or processes)
VENV := .venv
RUN := $(VENV)/bin/python
SOURCES := src tests examples bench docs
# The harness for tests is for systems with namespaces and signals that stop a process.
PORTABLE := $(filter-out %/testing %/py.typed,$(wildcard src/farscope/[a-z]*))
BENCHES ?= $(sort $(filter-out bench/web.py bench/faults.py,$(wildcard bench/*.py)))
install = ./.ci/install $(RUN)

$(VENV)/made: .ci/make-venv
	@./.ci/make-venv "$(PYTHON)" $(VENV)
	@touch $@

$(VENV)/runtime: pyproject.toml $(VENV)/made
	@$(install) '.[web]'
	@touch $@

$(VENV)/dev: pyproject.toml $(VENV)/made
	@$(install) '.[dev]'
	@touch $@ $(VENV)/runtime

$(VENV)/bench: pyproject.toml $(VENV)/made
	@$(install) '.[rabbitmq,bench]'
	@touch $@ $(VENV)/runtime

$(VENV)/package: pyproject.toml $(VENV)/made
	@$(install) '.[package]'
	@touch $@

$(VENV)/freeze: pyproject.toml $(VENV)/dev
	@$(install) '.[freeze]'
	@touch $@

$(VENV)/fuzz: pyproject.toml $(VENV)/made
	@$(install) '.[fuzz]'
	@touch $@ $(VENV)/runtime

.PHONY: help demo test test-fast check bench bench-quick bench-faults bench-web soak fuzz pictures reference wheel clean

help: ## Show what can be made
	@echo "make TARGET, where TARGET is one of"
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)$$/  \1\t\2/p' Makefile | expand -t 16

demo: $(VENV)/runtime ## Watch two charts from two other processes (under 15 s after set-up)
	@$(RUN) -m farscope demo $(ARGS)

test: $(VENV)/dev ## Run all tests; ARGS='-k watch' picks some
	@for script in tests/system/install_*.sh; do "./$$script"; done
	@$(RUN) -m pytest -n $(JOBS) --dist loadgroup --no-loadscope-reorder $(ARGS)

test-fast: $(VENV)/dev ## Run the tests that start no other program, under 90 s on two cores; ARGS as for test
	@$(RUN) -m pytest -n $$(($(JOBS) + 1)) --dist loadgroup -m "$(FAST)" $(ARGS)

check: $(VENV)/dev ## Format, lint, types, layers: changes nothing
	@$(RUN) -m ruff format --check $(SOURCES)
	@$(RUN) -m ruff check $(SOURCES)
	@$(RUN) -m mypy
	@for system in win32 darwin; do echo "on $$system:"; $(RUN) -m mypy --platform $$system --cache-dir .mypy_cache/$$system $(PORTABLE); done
	@$(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

bench: $(VENV)/bench ## Measure, against the peers where there are any; BENCHES='bench/engine.py' picks some
	@for script in $(BENCHES); do echo "== $$script"; $(RUN) "$$script" $(ARGS); done

bench-quick: $(VENV)/bench $(VENV)/dev ## Show that every bench runs, with tiny sizes: the figures mean nothing
	@for script in rabbitmq chromium; do "./tests/system/install_$$script.sh"; done
	@for script in bench/*.py; do echo "== $$script"; $(RUN) "$$script" --quick $(ARGS); done

bench-faults: $(VENV)/bench ## Measure what a step costs while its broker is in trouble; takes minutes
	@$(RUN) bench/faults.py $(ARGS)

bench-web: $(VENV)/dev ## Measure the page in a real browser, for a minute
	@./tests/system/install_chromium.sh
	@$(RUN) bench/web.py $(ARGS)

soak: $(VENV)/dev $(VENV)/freeze ## Run the long tests; takes hours
	@$(RUN) -m pytest -m soak --timeout=0 $(ARGS)

fuzz: $(VENV)/fuzz ## Throw hostile bytes at the decoder for ten minutes; ARGS=60 for one
	@nice -n 10 $(RUN) tests/soak/fuzz_wire.py $(ARGS)

wheel: $(VENV)/package ## Build the sdist and the wheel into dist/
	@$(RUN) -m build --outdir dist

reference: $(VENV)/dev ## Generate docs/reference.md from the code
	@$(RUN) docs/reference.py

pictures: $(VENV)/dev ## Redraw the pictures in docs/img
	@$(RUN) docs/pictures.py
	@$(RUN) docs/pattern_pictures.py
	@./tests/system/install_chromium.sh
	@$(RUN) docs/web_pictures.py

clean: ## Remove the environment and everything else that was made
	@rm -rf $(VENV) .stamps build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
