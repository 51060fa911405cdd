# Everything a developer does here is a verb of this file: `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := lymph-config lymph-core lymph-discovery-zk lymph-events-kombu lymph-web lymph-cli \
	lymph-testing
PROJECTS := $(DISTRIBUTIONS:%=packages/%/pyproject.toml)
PIP := $(BIN)/pip --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:  ## list the verbs
	@sed -n 's/^\([a-z%<>-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r verb words; do printf '  make %-22s %s\n' "$$verb" "$$words"; done

.PHONY: install
install: $(VENV)/.installed  ## prepare .venv with all distributions, editable, and the tools

$(VENV)/.created: tools/venv constraints.txt
	@tools/venv '$(PYTHON)' $(VENV)
	$(PIP) install -qq --constraint constraints.txt pip hatchling
	@touch $@

$(VENV)/.installed: $(VENV)/.created $(PROJECTS) pyproject.toml constraints.txt VERSION
	$(PIP) install -qq --constraint constraints.txt --no-build-isolation \
		--group dev $(DISTRIBUTIONS:%=--editable packages/%)
	@touch $@

.PHONY: lint
lint: install  ## ruff: format and rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

.PHONY: types
types: install  ## mypy --strict over all source trees
	$(BIN)/mypy $(DISTRIBUTIONS:%=packages/%/src)

.PHONY: clean
clean:  ## remove .venv and everything else that was made here
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find packages tests tools -name __pycache__ -prune -exec rm -rf {} +
