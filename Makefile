# Everything runs in .venv, which `make setup` makes; other targets make it when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Spinning OpenMP threads cost up to 40 x on a busy machine with few cores.
export OMP_WAIT_POLICY ?= PASSIVE
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Every job and many tests start a program: without compiled modules each takes half a second more.
unexport PYTHONDONTWRITEBYTECODE

SLURM := slurmctld slurmd slurm-client munge

.PHONY: help setup clusters browser demo test lint bench clean

help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.installed ## make .venv with the package and its development tools

$(VENV)/.installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clusters: $(VENV)/.clusters ## add what `make test` needs to test Ray and SLURM too (as root, on Debian)

$(VENV)/.clusters: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[dev,ray,slurm]'
	@if command -v slurmctld && command -v slurmd && command -v munged; then true; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get; then \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y $(SLURM) > /dev/null; \
	else echo "SLURM is not here and only root can install it: its tests will be skipped"; fi
	touch $@

browser: $(VENV)/.browser ## add what `make test` needs to test the report in Chromium too (as root, on Debian)

$(VENV)/.browser: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[dev,browser,completion]'
	@if command -v chromium || command -v google-chrome; then true; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get; then \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium > /dev/null; \
	else echo "Chromium is not here and only root can install it: the tests in a browser will be skipped"; fi
	touch $@

demo: setup ## compare zero-shot, single-task and shared prompts on the embedded tasks (some minutes on 2 cores)
	$(BIN)/mvlpt demo --output-dir output/demo

test: setup ## the test suite
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: setup ## ruff: style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: setup ## the benchmarks, in their quick form
	@set -e; for program in benchmarks/[a-z]*.py; do echo "== $$program"; $(BIN)/python $$program --quick; done

clean: ## remove the environment and what runs left
	rm -rf $(VENV) output out build dist *.egg-info .pytest_cache .ruff_cache
