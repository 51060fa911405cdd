# Everything a developer does here is a verb of this file: `make help` lists them.

# In an empty environment (env -i), too.
export PATH := $(or $(PATH),/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := lymph-config lymph-core lymph-discovery-zk lymph-events-kombu lymph-web lymph-cli \
	lymph-testing
# lymph itself has no files: it only requires the others
ALL := lymph $(DISTRIBUTIONS)
PROJECTS := $(DISTRIBUTIONS:%=packages/%/pyproject.toml)
PIP := $(BIN)/pip --disable-pip-version-check --no-input
BENCH_VENV := build/bench-venv
BENCH_DISTRIBUTIONS := lymph-config lymph-core lymph-events-kombu lymph-web lymph-cli lymph-testing
BENCH_STUBS := build/bench-stubs
BENCH_PIP := $(BENCH_VENV)/bin/pip --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:  ## list the verbs
	@sed -n 's/^\([a-z%<>-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r verb words; do printf '  make %-22s %s\n' "$$verb" "$$words"; done

.PHONY: install
install: $(VENV)/.installed  ## prepare .venv with all distributions, editable, and the tools

# Never made again because of a newer file: that would pull it away from whoever works in it.
$(VENV)/.created:
	@tools/venv '$(PYTHON)' $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created $(PROJECTS) pyproject.toml constraints.txt VERSION
	$(PIP) install -qq --constraint constraints.txt pip hatchling
	$(PIP) install -qq --constraint constraints.txt --no-build-isolation \
		--group dev $(DISTRIBUTIONS:%=--editable packages/%)
	@touch $@

# apart, since node takes 200 MB, which only the tests of `whole` need
$(VENV)/.checkers: $(VENV)/.installed
	$(PIP) install -qq --constraint constraints.txt --group checkers
	@touch $@

# apart for the same reason: a browser's driver and what the clients need
$(VENV)/.clients: $(VENV)/.installed
	$(PIP) install -qq --constraint constraints.txt --group clients
	@touch $@

.PHONY: demo
demo: install  ## watch the example services work together
	PATH='$(CURDIR)/$(BIN)':"$$PATH" sh examples/demo.sh

# those whose tests take longest go first
LONG := lymph-events-kombu lymph-core lymph-cli whole lymph-discovery-zk

.PHONY: test
test: install $(VENV)/.checkers $(VENV)/.clients  ## run all tests, with the servers they need
	@tools/servers
	@tools/tests $(LONG) $(filter-out $(LONG),$(DISTRIBUTIONS))

.PHONY: test-whole $(DISTRIBUTIONS:%=test-%)
test-<distribution>:  ## run the tests of one, or test-whole; ARGS='-k name' goes to pytest
test-lymph-core: SERVERS := network
test-lymph-discovery-zk: SERVERS := zookeeper
test-lymph-events-kombu: SERVERS := rabbitmq redis openssl
test-lymph-cli: SERVERS := rabbitmq redis
test-lymph-testing: SERVERS := zookeeper rabbitmq redis network
test-lymph-web: SERVERS := browser openssl
test-lymph-web: $(VENV)/.clients
test-whole: SERVERS := zookeeper rabbitmq redis prometheus
test-whole: $(VENV)/.checkers
test-whole $(DISTRIBUTIONS:%=test-%): test-%: install
	@$(if $(SERVERS),tools/servers $(SERVERS))
	@ARGS="$(ARGS)" tools/tests $*

.PHONY: test-oldest test-newest
test-oldest:  ## run the tests with the lowest versions of all dependencies (NAMES='lymph-web'), in build/oldest-venv
test-newest:  ## run the tests with the newest versions, in build/newest-venv
test-oldest test-newest: test-%:
	@tools/servers
	@ARGS="$(ARGS)" tools/test-bounds $* $(or $(NAMES),$(DISTRIBUTIONS))

.PHONY: lint
lint: install  ## check the format and the rules of all Python files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

.PHONY: types
types: install  ## check the types of all distributions, strictly
	$(BIN)/mypy $(DISTRIBUTIONS:%=packages/%/src) bench fuzz
	@rm -rf build/new && mkdir -p build/new && cd build/new && ../../$(BIN)/lymph new greeter >greeter.log
	cd build/new/greeter && ../../../$(BIN)/mypy --strict --config-file= --cache-dir=../../../.mypy_cache/new .

.PHONY: house
house:  ## print figures about the sources: sizes, documentation, tests, circles
	@$(PYTHON) tools/house

.PHONY: wheels
wheels: install  ## build all distributions into dist/
	rm -rf dist
	@set -e; for name in $(ALL); do \
		$(BIN)/python -m build --wheel --no-isolation --outdir dist packages/$$name; done

.PHONY: screenshots
screenshots: $(VENV)/.clients  ## take the pictures of docs/images from a real gateway and a real dashboard
	@tools/servers browser
	$(BIN)/python tools/screenshots

.PHONY: fuzz
fuzz: install  ## attack everything that reads what others wrote (ARGS='--seconds 600 http')
	@tools/servers zookeeper
	$(BIN)/python -m fuzz $(ARGS)

.PHONY: bench
bench: bench-rpc bench-types bench-interception bench-discovery bench-events bench-backlog bench-cli bench-http  ## measure everything and write docs/performance.md; wants a quiet machine

.PHONY: bench-rpc
bench-rpc: $(BENCH_STUBS)/.made  ## measure calls next to other frameworks (ARGS=--quick: a minute, writes nothing)
	PYTHONPATH=$(BENCH_STUBS) $(BENCH_VENV)/bin/python -m bench.rpc $(ARGS)

.PHONY: bench-types
bench-types: install  ## measure checks of arguments by annotations (ARGS=--quick: some seconds)
	$(BIN)/python -m bench.types $(ARGS)

.PHONY: bench-interception
bench-interception: install  ## measure what interceptors add to a unit of work (ARGS=--quick: half a minute)
	$(BIN)/python -m bench.interception $(ARGS)

.PHONY: bench-discovery
bench-discovery: install  ## measure lookups, and how soon instances are found and gone (ARGS=--quick: half a minute)
	@tools/servers zookeeper
	$(BIN)/python -m bench.discovery $(ARGS)

.PHONY: bench-events
bench-events: $(BENCH_VENV)/.installed  ## measure events next to other frameworks (ARGS=--quick: a minute, writes nothing)
	@tools/servers rabbitmq
	$(BENCH_VENV)/bin/python -m bench.events $(ARGS)

.PHONY: bench-backlog
bench-backlog: install  ## measure an embedded store with a million events (ARGS=--quick: half a minute)
	$(BIN)/python -m bench.events.backlog $(ARGS)

.PHONY: bench-cli
bench-cli: $(BENCH_VENV)/.installed  ## measure how soon commands are done, next to other frameworks (ARGS=--quick: half a minute, writes nothing)
	@tools/servers rabbitmq
	$(BENCH_VENV)/bin/python -m bench.cli $(ARGS)

.PHONY: bench-http
bench-http: $(BENCH_VENV)/.installed  ## measure HTTP servers next to each other (ARGS=--quick: a minute, writes nothing)
	@tools/servers wrk openssl
	$(BENCH_VENV)/bin/python -m bench.http $(ARGS)

# What lymph is measured against has an environment of its own, with the versions that both need.
$(BENCH_VENV)/.created:
	@tools/venv '$(PYTHON)' $(BENCH_VENV)
	@touch $@

$(BENCH_VENV)/.installed: $(BENCH_VENV)/.created bench/requirements.txt constraints.txt VERSION \
		$(BENCH_DISTRIBUTIONS:%=packages/%/pyproject.toml)
	$(BENCH_PIP) install -qq --constraint constraints.txt pip hatchling
	$(BENCH_PIP) install -qq --constraint constraints.txt --no-build-isolation \
		--requirement bench/requirements.txt $(BENCH_DISTRIBUTIONS:%=--editable packages/%)
	@touch $@

$(BENCH_STUBS)/.made: bench/rpc/subjects/echo.proto $(BENCH_VENV)/.installed
	@mkdir -p $(BENCH_STUBS)
	$(BENCH_VENV)/bin/python -m grpc_tools.protoc --proto_path=bench/rpc/subjects \
		--python_out=$(BENCH_STUBS) --grpc_python_out=$(BENCH_STUBS) echo.proto
	@touch $@

.PHONY: check
check: lint types test wheels  ## all of the above: what has to be clean before a commit

.PHONY: clean
clean:  ## remove everything that was made here, .venv included
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find bench fuzz packages tests tools -name __pycache__ -prune -exec rm -rf {} +
