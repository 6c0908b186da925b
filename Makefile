# Everything that is done with this checkout. `make` alone lists the targets.
#
# Nothing needs to be prepared: a target that needs the virtual environment makes it first, and renews it when
# pyproject.toml has changed.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check bench durability chaos mutate fuzz hardware diagrams clean setup-run setup-dev

PYTHON ?= python3
BIN := .venv/bin
# What tests need besides Python. A test whose package is missing is skipped and says so.
TEST_PACKAGES := socat strace tshark libzbar0 tesseract-ocr tesseract-ocr-chi-sim \
	pcscd libccid vsmartcard-vpcd libpcsclite-dev iproute2 umockdev faketime
WORKERS_MAX := 8
SECONDS ?= 60
PROFILE ?= pi

export PYTHON

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup-run ## play one payment: seven steps, ledger, slip; pictures and sound go to out/
	@$(BIN)/python -m tools.demo --out out/

test: setup-dev ## run every test
	@tools/setup/system-packages.sh $(TEST_PACKAGES) || echo "make test: going on without; the tests that need it are skipped"
	@tools/setup/pyscard.sh || echo "make test: going on without pyscard; the tests of PC/SC are skipped"
	@$(BIN)/python -m pytest -q -n auto --dist worksteal --maxprocesses $(WORKERS_MAX) $(ARGS)

check: setup-dev ## style, types, import rules, generated pages
	@$(BIN)/python -m tools.check

bench: setup-dev ## measure, beside other packages; ARGS=--json for machines
	@$(BIN)/python -c 'import bellows, sliplib, simplehdlc' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'bellows>=1.2' 'sliplib>=0.7' 'simplehdlc>=0.1' || echo "make bench: going on without some packages to compare with"
	@$(BIN)/python -m tools.bench $(ARGS)

durability: setup-dev ## cut the power after every call to the disk, terminal and bank; ARGS="--payments 4"
	@tools/setup/system-packages.sh strace || true
	@$(BIN)/python -m tools.durability $(ARGS)

chaos: setup-dev ## kill terminal, gateway and bank as real processes, 1,000 times; ARGS="--kills 50" or --failing-calls
	@tools/setup/system-packages.sh faketime strace || echo "make chaos: going on without; the bank's clock is not set back, disks do not fail"
	@$(BIN)/python -m tools.chaos $(ARGS)

mutate: setup-dev ## spoil rules of the state tables one by one, tests must notice; ARGS="--count 60 --seed 1"
	@$(BIN)/python -m tools.mutate $(ARGS)

fuzz: setup-dev ## feed readers of foreign bytes what breaks them; SECONDS=60 each, TARGET=frames for one
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=3'
	@$(BIN)/python -m tools.fuzz --seconds $(SECONDS) $(TARGET)

hardware: setup-dev ## the same checks on real devices and virtual ones; PROFILE=pi PERSON=1 PAPER=1
	@$(BIN)/python -c 'import lgpio' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check '.[pi]' || echo "make hardware: going on without; what needs it fails and says so"
	@POSTERM_PROFILE=$(PROFILE) POSTERM_PERSON=$(PERSON) POSTERM_PAPER=$(PAPER) $(BIN)/python -m pytest -q -s -m hardware tests/hardware

diagrams: setup-run ## draw docs/states* and docs/pictures anew from the running program
	@$(BIN)/python -m tools.diagram.document
	@$(BIN)/python -m tools.pictures

clean: ## remove what was made: environment, caches, output
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist out
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

setup-run:
	@tools/setup/venv.sh run

setup-dev:
	@tools/setup/venv.sh dev
