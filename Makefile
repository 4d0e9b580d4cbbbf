# Everything that one does here. `make help` lists it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# The suite runs one process a core, and each of them one thread.
export OMP_NUM_THREADS := 1

.PHONY: help demo test test-all lint format bench bench-peers guard claims claims-page clean

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1: \2/p' $(MAKEFILE_LIST)

# Made anew when what is installed changes. The stamp is written last, so that an installation that
# was broken off is done again.
$(STAMP): pyproject.toml constraints.txt
	@echo "installing into $(VENV) (the first time this takes some minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; name one with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP) ## compare six designs on the built-in photograph, and make a page of it
	@$(BIN)/penchant compare --seeds 6 --tune 0 --out demo
	@echo "the page: demo/report.html"

test: $(STAMP) ## run the tests, all but the slow ones
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-all: $(STAMP) ## run all tests
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m 'slow or not slow'

lint: $(STAMP) ## check style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(STAMP) ## put the code into its format
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(STAMP) ## measure the machine's limit, and the library against it and plain torch
	@env -u OMP_NUM_THREADS $(BIN)/python bench/run.py

bench-peers: $(STAMP) ## race fit against its peers on Kodak's pictures (hours; goes on where it was)
	@env -u OMP_NUM_THREADS $(BIN)/python bench/peers.py $(PEERS)

guard: $(STAMP) ## compare ratios of speed with the stored ones (a minute)
	@$(BIN)/python bench/guard.py

claims: $(STAMP) ## run the notes' statements, each in seconds, and make a page of them
	@$(BIN)/penchant claims run --profile smoke

claims-page: $(STAMP) ## make the page of claims again from the stored results
	@$(BIN)/penchant claims page --out docs/claims
	@mv docs/claims/claims.html docs/claims/index.html

# What bench-peers has measured took hours: it stays.
clean: ## remove the environment and everything that was made
	rm -rf $(VENV) demo claims build dist bench/out/*.md .pytest_cache .ruff_cache .mypy_cache \
		.hypothesis .import_linter_cache
