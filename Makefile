# Everything a newcomer types. Each target sets up what it needs first.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all unit service fuzz simulation simulate simulate-mutations integration browser browser-postgres compose demo-compose demo-compose-wide alerts conformance listening run check
.PHONY: controllers crash crash-postgres crash-long crash-random soak
.PHONY: replay record-replays pictures service-postgres integration-postgres bench bench-wide bench-stored requirements result-codes migration pins format

BIN := .venv/bin
# What of the unit tests has a database.
DATABASE_UNITS := $(addprefix tests/unit/,accounts api calls pushes store test_succession.py)

# Tests are compiled once, not by every process of every run.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: ## Set up the Python environment and Asterisk
	@scripts/setup

demo: setup ## Make a real call to a real softphone and judge it
	@$(BIN)/voicecall demo

test: setup ## All but what takes a browser, the wide compose file, or every real call again on PostgreSQL: 35 minutes on 2 cores
	@$(BIN)/pytest tests/unit -n 3 --dist worksteal
	@$(BIN)/pytest tests/service -n 2
	@$(BIN)/pytest tests/fuzz -n 2
	@PYTHONHASHSEED=0 $(BIN)/pytest tests/simulation -n 2
	@$(BIN)/pytest tests/replay
	@$(BIN)/pytest tests/integration -n 4
	@CONFORMANCE_STRICT=1 $(BIN)/pytest tests/conformance
	@$(BIN)/pytest tests/listening
	@$(MAKE) --no-print-directory service-postgres controllers crash
	@scripts/setup-docker
	@$(BIN)/pytest tests/compose -m "not long"

test-all: test ## The same, and real calls and crashes on PostgreSQL, the console in a browser, alert rules, all of both compose files
	@$(MAKE) --no-print-directory integration-postgres crash-postgres browser browser-postgres alerts compose

unit: setup ## Unit tests alone: at most 30 s on 2 cores
	@$(BIN)/pytest tests/unit -n 3 --dist worksteal

service: setup ## Whole rooms with their database, over HTTP where they have it, or their processes: no Asterisk
	@$(BIN)/pytest tests/service -n 2

service-postgres: setup ## Unit tests with a database, whole rooms and replayed calls on PostgreSQL, which they start themselves
	@scripts/setup postgresql
	@$(BIN)/pytest $(DATABASE_UNITS) tests/service tests/replay -n 2 --engine postgresql --ignore tests/service/prompts

controllers: setup ## Several controllers on one PostgreSQL and one Asterisk, or two: killed, paused, restarted under load
	@scripts/setup postgresql
	@$(BIN)/pytest tests/integration/test_controllers.py tests/integration/test_controllers_and_nodes.py -n 2 --engine postgresql

fuzz: setup ## What strangers may send, in a thousand forms; with MINUTES=10 others than `make test` has
	@$(if $(MINUTES),$(BIN)/python -m tests.fuzz --minutes $(MINUTES),$(BIN)/pytest tests/fuzz -n 2)

integration: setup ## Integration tests alone
	@$(BIN)/pytest tests/integration -n 4

integration-postgres: setup ## Integration and conformance tests whose controllers have their data in PostgreSQL, and what strangers send
	@scripts/setup postgresql
	@$(BIN)/pytest tests/integration -n 4 --engine postgresql
	@CONFORMANCE_STRICT=1 $(BIN)/pytest tests/conformance --engine postgresql
	@$(BIN)/pytest tests/fuzz -n 2 --engine postgresql

compose: setup ## Both compose files for real: images are built, their benches make calls
	@scripts/setup-docker
	@$(BIN)/pytest tests/compose

demo-compose: setup ## Three calls on the bench of docker-compose.yml, which must be up
	@$(BIN)/python -m testbed.demo.compose

demo-compose-wide: setup ## Three calls on the bench of docker-compose.wide.yml, then again without one controller and one node
	@$(BIN)/python -m testbed.demo.compose_wide

alerts: setup ## The alert rules and the board, as Prometheus reads and evaluates them and Grafana types them
	@scripts/setup-prometheus
	@scripts/setup-grafana-types
	@$(BIN)/pytest tests/unit/observability/test_alerts.py tests/integration/test_prometheus.py

browser: setup ## The console in a real browser, as people use it
	@scripts/setup-browser
	@$(BIN)/pytest tests/browser -n 2

browser-postgres: setup ## The same with its data in PostgreSQL
	@scripts/setup postgresql
	@scripts/setup-browser
	@$(BIN)/pytest tests/browser -n 2 --engine postgresql

pictures: setup ## Renew the pictures in the documents, from a first run in a real browser
	@scripts/setup-browser
	@$(BIN)/pytest tests/browser/test_first_run.py -k en
	@mkdir -p docs/images
	@for name in first-call one-call calls; do cp var/screenshots/docs-$$name.png docs/images/$$name.png; done

conformance: setup ## Black-box tests of the wire API: of a platform of their own, or of VOICECALL_URL
	@$(BIN)/pytest tests/conformance

listening: setup ## Listening tests alone: is the voice understood?
	@$(BIN)/pytest tests/listening

simulation: setup ## Simulation alone: 2,000 worlds full of trouble
	@PYTHONHASHSEED=0 $(BIN)/pytest tests/simulation -n 2

simulate: setup ## 100,000 worlds: SEEDS=100000, FIRST=0
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),100000) --first $(or $(FIRST),0)

simulate-mutations: setup ## Does the simulation find what is taken away? At which seed?
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.simulation.mutations

replay: setup ## Calls of real phones over a real Asterisk, replayed: the same must come of them
	@$(BIN)/pytest tests/replay

record-replays: setup ## Make those calls anew and keep what was said; with ONLY=busy some of them
	@PYTHONPATH=tests $(BIN)/python -m replay.record $(ONLY)

crash: setup ## Every fault at every stage of every service, and some at random: nothing is lost
	@scripts/setup postgresql
	@$(BIN)/pytest tests/crash -n 4 -m "not long"

crash-postgres: setup ## The same with all data in PostgreSQL
	@scripts/setup postgresql
	@$(BIN)/pytest tests/crash -n 4 -m "not long" --engine postgresql

crash-long: setup ## `make crash` with the rows and runs that take longer: ENGINE=sqlite
	@scripts/setup postgresql
	@$(BIN)/pytest tests/crash -n 4 --engine $(or $(ENGINE),sqlite)

crash-random: setup ## Faults at random under load: SEED=1, FAULTS=100, ENGINE=sqlite
	@$(if $(filter postgresql,$(ENGINE)),scripts/setup postgresql)
	@$(BIN)/python -m tests.crash --seed $(or $(SEED),1) --faults $(or $(FAULTS),100) --engine $(or $(ENGINE),sqlite)

soak: setup ## MINUTES=30 at half capacity: does anything grow? One JSON line, and the curve in OUT=var/soak
	@$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),30) --out $(or $(OUT),var/soak)

run: setup ## Run the platform in the foreground until Ctrl-C
	@test -f voicecall.toml || $(BIN)/voicecall init
	@exec $(BIN)/voicecall up

check: setup ## Format, lint, strict types, import rules, vulnerable packages, documents made from code
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/audit.py
	@$(BIN)/voicecall settings --reference | diff docs/reference/configuration.md - \
		|| { echo "docs/reference/configuration.md is out of date"; exit 1; }
	@$(BIN)/voicecall reference result-codes | diff docs/reference/result-codes.md - \
		|| { echo "docs/reference/result-codes.md is out of date"; exit 1; }
	@$(BIN)/voicecall reference openapi | diff docs/reference/openapi.json - \
		|| { echo "docs/reference/openapi.json is out of date"; exit 1; }
	@$(BIN)/voicecall reference management-openapi | diff docs/reference/management-openapi.json - \
		|| { echo "docs/reference/management-openapi.json is out of date"; exit 1; }

pins: setup ## The versions that the controller's image has: the newest that pyproject.toml admits
	@$(BIN)/python scripts/pins.py

format: setup ## Format the code
	@$(BIN)/ruff check --fix --select I .
	@$(BIN)/ruff format .

bench: setup ## Measure against bare Asterisk; prints one JSON line each
	@$(BIN)/python -m benchmarks.start
	@$(BIN)/python -m benchmarks.against_bare notification callback verification
	@$(BIN)/python -m benchmarks.speech
	@$(BIN)/python -m benchmarks.pushes

bench-wide: setup ## Memory of live calls, two controllers, what looking costs, calls held, another client: three quarters of an hour
	@scripts/setup postgresql
	@$(BIN)/python -m benchmarks.memory
	@$(BIN)/python -m benchmarks.two_controllers
	@$(BIN)/python -m benchmarks.observability
	@$(BIN)/python -m benchmarks.held
	@$(BIN)/python -m benchmarks.other_client

bench-stored: setup ## Does a call cost more after 1,000,000 of them? On both databases; the data stays in FOLDER
	@scripts/setup postgresql
	@$(BIN)/python -m benchmarks.stored $(or $(FOLDER),var/bench)/sqlite
	@$(BIN)/python -m benchmarks.stored $(or $(FOLDER),var/bench)/postgresql --postgresql

migration: setup ## Write a database migration after tables.py was changed: FOR="what it is for"
	@$(BIN)/python scripts/migration.py $(FOR)

requirements: setup ## The requirement numbers that no test shows; with ALL=--tests also who shows the others
	@$(BIN)/python scripts/requirements.py $(ALL)

result-codes: setup ## Every result code: the test that provokes it, or why it can't occur here
	@$(BIN)/python scripts/result_codes.py
