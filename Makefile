# Fathom: the jobs. `make` lists them.
#
#   PYTHON=python3.13      the interpreter (else that of $(VENV), else the first that is 3.11 or later)
#   VENV=.venv             the folder of the environment
#   ARGS="--bpm 140"       words for `make play`; for `make bench`: ARGS="lateness --seconds 60" prints one table
#   PYTEST_ARGS="-k clock" words for pytest
#   FATHOM_HOME=...        where slots, loops and settings are (.fathom in the clone)

PYTHON ?=
VENV ?= .venv
ARGS ?=
PYTEST_ARGS ?=
EXTRAS ?= midi
FATHOM_HOME ?= $(CURDIR)/.fathom

space := $(subst ,, )
HOME_DIR := $(subst $(space),\ ,$(FATHOM_HOME))
LOOPS := $(HOME_DIR)/loops/.made
SLOTS := $(HOME_DIR)/slots/slot-01.safetensors $(HOME_DIR)/slots/slot-02.safetensors
FATHOM := $(VENV)/bin/fathom
RUN := $(VENV)/bin/python -m

PYTHONS := $(or $(PYTHON),$(VENV)/bin/python python3 python3.13 python3.12 python3.11)
define set_up
@for python in $(PYTHONS); do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		exec "$$python" -I tools/set_up.py --venv "$(VENV)" $(foreach extra,$(1),--extra $(extra)); \
	fi; \
done; \
echo "Fathom needs Python 3.11 or later; none of these is: $(PYTHONS)." >&2; exit 1
endef

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help play test test-vm lint format bench setup setup-dev loops factory classifiers arm64 wiring clean clean-home

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r job what; do \
		printf '  make %-11s %s\n' "$$job" "$$what"; done

play loops: export FATHOM_HOME := $(FATHOM_HOME)

make_loops = @$(FATHOM) demo "$(FATHOM_HOME)/loops" && touch "$(FATHOM_HOME)/loops/.made"
learn_drums = @$(FATHOM) learn --eager "$(FATHOM_HOME)/loops/drums" --voices 3 --seed 1
learn_bass = @$(FATHOM) learn --eager "$(FATHOM_HOME)/loops/bass" --seed 1

play: setup $(SLOTS) ## learn a dozen loops (once), then play them on the simulated panel (ARGS="--bpm 140")
	@exec $(FATHOM) play --panel sim $(if $(findstring --slot,$(ARGS)),,--first 1 --first 2) $(ARGS)

test: setup-dev ## ruff, mypy, then the tests (PYTEST_ARGS="-k clock")
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) pytest $(PYTEST_ARGS)

test-vm: setup-dev ## the box in a virtual machine with a Pi's chips (PYTEST_ARGS="-k stick"); says what it needs
	@$(RUN) pytest tests/vm $(PYTEST_ARGS)

lint: setup-dev ## ruff and mypy alone
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

format: setup-dev ## let ruff lay out the code and mend what it can
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

bench: setup ## measurements side by side with peers, half an hour (ARGS="lateness --seconds 60")
	@$(RUN) bench $(ARGS)

setup: ## only make .venv or bring it up to date (EXTRAS="midi pi" on the box)
	$(call set_up,$(EXTRAS))

setup-dev:
	$(call set_up,$(EXTRAS) dev)

loops: setup ## make the demo loops anew and learn them into slots 1 and 2
	$(make_loops)
	$(learn_drums) --slot 1
	$(learn_bass) --slot 2

factory: FATHOM_HOME := $(CURDIR)/build
factory: setup ## make the slot that ships with the project anew
	$(make_loops)
	$(learn_drums) --slot device/factory.safetensors

classifiers: setup ## train the networks of hearing anew (LABELLED="a folder with loops and truth.jsonl")
	@test -n "$(LABELLED)" || { echo 'make classifiers: say where labelled loops are: LABELLED="FOLDER".' >&2; exit 1; }
	@$(RUN) training.tuning "$(LABELLED)" -o training

$(LOOPS): | setup
	$(make_loops)

$(HOME_DIR)/slots/slot-01.safetensors: | setup $(LOOPS)
	$(learn_drums) --slot 1

$(HOME_DIR)/slots/slot-02.safetensors: | setup $(LOOPS)
	$(learn_bass) --slot 2

arm64: setup-dev ## fetch an emulated arm64 Python, so that `make test` compares bits with it (needs qemu-user)
	@$(VENV)/bin/python tools/arm64.py

wiring: setup ## draw the wiring and the tables of docs/panel.md anew, after a change of hw/table.py
	@$(RUN) tools.wiring

clean: ## remove environments and caches; what was learned stays
	rm -rf .venv .venv-* build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

clean-home: ## remove what `make play` made in .fathom: loops, slots, settings
	rm -rf .fathom
