# Everything a newcomer needs is Python >= 3.11 and make. `make` alone lists what there is.

PYTHON ?= python3
# Further arguments of `runbook` or pytest: make run ARGS="migrate --no-exercise", make test ARGS="-k cli"
ARGS ?=

BIN := .venv/bin
# What the linter reads. Named, since it finds .gitignore only in a clone, not in an unpacked archive.
SOURCES := handlers lib notebooks tests setup.py runbook_lib_first.py
INSTALLED := .venv/installed
# As `pip install`, by uv; -P: what lies beside it is not to be taken for Python's own.
INSTALL := $(BIN)/python -P lib/base/packages.py
# For every Python from 3.11 on and every system; with the hashes of all files that the index has of a version.
# UPGRADE= keeps the versions that are there, for a new dependency alone.
UPGRADE ?= --upgrade
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header \
	--generate-hashes $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help install run plan destroy lab live types test browser pictures docs test-long soak fuzz bench lag sweep corrections notebooks record-calls tools \
	upgrade-local-aws requirements clean

help: ## List what there is
	@echo "make TARGET, where TARGET is"
	@sed -n 's/^\([a-z-]*\):.*## /  \1	/p' Makefile | expand -t 21

install: $(INSTALLED) ## Make .venv, unless it is there and up to date
	@:

run: $(INSTALLED) ## Run all runbooks on the AWS on this laptop; leaves the pipelines up
	@$(BIN)/runbook run $(ARGS)

plan: $(INSTALLED) ## Show what a run would create or change; write nothing
	@$(BIN)/runbook plan $(ARGS) || test $$? -eq 3  # something differs: that is what it shows

destroy: $(INSTALLED) ## Remove what the runbooks made, and prove that nothing is left; asks, but for ARGS=--yes
	@$(BIN)/runbook destroy $(ARGS)

lab: $(INSTALLED) ## Open the notebooks in JupyterLab
	@$(BIN)/runbook lab $(ARGS)

# Never yet run on a real account (docs/live.md). ARGS=--dry-run says what it would do; ARGS=--yes does not ask.
live: $(INSTALLED) ## Run all notebooks on a real account and remove it all again: ACCOUNT=… PREFIX=…
	@test -n "$(ACCOUNT)" -a -n "$(PREFIX)" || { \
		echo "make live ACCOUNT=123456789012 PREFIX=mine [ARGS=--dry-run]; see docs/live.md"; exit 1; } >&2
	@$(BIN)/runbook live --account "$(ACCOUNT)" --prefix "$(PREFIX)" $(ARGS)

# Two processes for each core, since they wait half of the time (docs/decisions/0025), each with a local AWS of its
# own, which takes a gigabyte; a file's tests stay together, for they share what is deployed.
PROCESSES := --numprocesses=$(shell $(PYTHON) -c 'import os; print(min(2 * os.cpu_count(), 8))') --dist=loadfile \
	--no-loadscope-reorder
# The tests start hundreds of interpreters: without it each would compile all of lib.
unexport PYTHONDONTWRITEBYTECODE

# What the tests import, once: in a fresh clone each of the processes would compile all of it, in 15 s of a processor.
COMPILED := .cache/tests/compiled
$(COMPILED): $(INSTALLED)
	@$(BIN)/pytest --collect-only --quiet >/dev/null 2>&1; mkdir -p $(@D) && touch $@

# lib is one program; so is each handler, whose folder is a top level in its zip, as what is in `common` beside it.
types: $(INSTALLED) ## Check the types of lib and of each handler
	@$(BIN)/mypy --no-error-summary || failed=yes; \
	for handler in $(wildcard handlers/*/handler.py); do \
		folder=$$(dirname $$handler); \
		MYPYPATH=$$folder:handlers $(BIN)/mypy --no-error-summary $$folder handlers/common || failed=yes; \
	done; test -z "$$failed"

test: $(INSTALLED) tools ## Run the linter, the check of types and all tests but the long ones
	@$(MAKE) --no-print-directory types & types_run=$$!; \
	$(MAKE) --no-print-directory --silent $(COMPILED); \
	$(BIN)/ruff check --quiet $(SOURCES) && check=ok || check=FAILED; \
	$(BIN)/ruff format --check --quiet $(SOURCES) && format=ok || format=FAILED; \
	$(BIN)/pytest $(PROCESSES) -m "not long" $(ARGS) && tests=ok || tests=FAILED; \
	wait $$types_run && types=ok || types=FAILED; \
	echo "ruff check: $$check · ruff format: $$format · mypy: $$types · pytest: $$tests"; \
	test "$$check $$format $$types $$tests" = "ok ok ok ok"

# Chromium of the distribution, and playwright, which drives it. Without them `make test` skips what needs a browser.
browser: $(INSTALLED) ## Install a browser, and look with it at JupyterLab and a report; pictures are kept in .cache/browser
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		apt-get install --yes --quiet --no-install-recommends chromium
	@$(BIN)/python -m pip --disable-pip-version-check --no-input --quiet install --requirement tests/cli/browser.txt
	@$(BIN)/pytest tests/cli/test_lab.py tests/cli/test_lab_notebook.py tests/cli/test_lab_tour.py $(ARGS)
	@ls .cache/browser/*.png

pictures: $(INSTALLED) ## Have the browser take the tour, and keep what it sees as the pictures of the README; docs/pictures
	@$(MAKE) --no-print-directory browser ARGS="--deselect tests/cli/test_lab.py --deselect tests/cli/test_lab_notebook.py"
	@PYTHONPATH=tests $(BIN)/python -m support.pictures

# In an environment of its own, since what builds it is no part of the runbook; without a network once that is there.
docs: $(INSTALLED) .cache/site/installed ## Build the site of the documents: notebooks with their outputs, guides, decisions, reference; .cache/site/html
	@PYTHONPATH=tests $(BIN)/python -m support.site .cache/site/source
	@.cache/site/bin/python -m sphinx --builder html --conf-dir docs/site --doctree-dir .cache/site/doctrees \
		--quiet --fail-on-warning .cache/site/source .cache/site/html $(ARGS)
	@echo "The site: .cache/site/html/index.html"

.cache/site/installed: docs/site/requirements.txt | $(INSTALLED)
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) --python $(@D)/bin/python -r $< && touch $@

# What operates, with pipelines broken, filled and lost for it; `make test` only compares the outputs of these notebooks.
test-long: $(INSTALLED) ## Run the tests that take minutes: operating from end to end, kills amid uploads, a rehearsal of live
	@$(BIN)/pytest $(PROCESSES) -m long $(ARGS)

soak: $(INSTALLED) ## Put load and faults on migrate and backup, and count (docs/reliability.md); takes long
	@PYTHONPATH=tests $(BIN)/python -m support.soak.soak $(ARGS)

# In a home of its own. It prints its seed; ARGS="--seed N" draws the same again, ARGS="--case NAME" one of them.
fuzz: $(INSTALLED) ## Put random objects, CSV files, rows, parameters and SQL values in, and compare what comes out
	@PYTHONPATH=tests TQDM_DISABLE=1 $(BIN)/python -m support.fuzz.fuzz $(ARGS)

# In homes of their own; the tables of docs/performance.md. ARGS="--only wide billed" makes some of them.
bench: $(INSTALLED) tools ## Measure profiles, copies and rows beside what people would use instead; writes docs/performance.md
	@PYTHONPATH=tests TQDM_DISABLE=1 $(BIN)/python -m support.bench $(ARGS)

# In homes of their own: a server without each, and the tests that prove it. ARGS="s3-multipart-tags" takes that one.
corrections: $(INSTALLED) tools ## Do without each correction of MiniStack, to see which it has mended meanwhile; takes minutes
	@PYTHONPATH=tests $(BIN)/python -m support.without_corrections $(ARGS)

# In a home of its own; ARGS is what AWS's times are multiplied with (docs/lag.md).
lag: $(INSTALLED) ## Run all pipelines, destroy them and run them again on a local AWS as late as AWS, scaled; takes half an hour
	@RUNBOOK_HOME=$$(mktemp -d); export RUNBOOK_HOME; \
	$(BIN)/runbook local start --lag-scale $(or $(ARGS),0.02) && \
		$(BIN)/runbook run && $(BIN)/runbook destroy --yes && $(BIN)/runbook run; status=$$?; \
	$(BIN)/runbook local reset --yes; rm -rf "$$RUNBOOK_HOME"; exit $$status

# In a home of its own. Its figures are kept in docs/reliability.md.
sweep: $(INSTALLED) ## Stop and disturb every pipeline at every call to AWS; takes most of an hour
	@PYTHONPATH=tests $(BIN)/python -m support.sweep $(ARGS)

# In a home of their own, so that the outputs are those of a first run: the tour deploys what 10_migrate deploys, so
# that its turn comes when all is removed. The local AWS is installed before, or else 00_start's output would say so.
TOUR := notebooks/01_tour.ipynb
IN_ORDER = $(filter-out $(TOUR),$(sort $(wildcard notebooks/[0-9][0-9]_*.ipynb))) $(TOUR)
notebooks: $(INSTALLED) ## Run the notebooks in order, from nothing, or ARGS=NN_NAME, and keep the outputs in them
	@$(BIN)/python -c "from lib.local.install import ensure_installed; ensure_installed()"
	@RUNBOOK_HOME=$$(mktemp -d); export RUNBOOK_HOME; \
	$(BIN)/python -m nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
		$(if $(ARGS),$(ARGS:%=notebooks/%.ipynb),$(IN_ORDER)); status=$$?; \
	$(BIN)/runbook local reset --yes; rm -rf "$$RUNBOOK_HOME"; exit $$status

# Their permissions are proven from these: tests/permissions, docs/permissions.md. In a home of its own.
record-calls: $(INSTALLED) ## Record anew what handlers and deployer ask of AWS, for docs/permissions.md; takes ten minutes; ARGS=NAME for one handler
	@PYTHONPATH=tests $(BIN)/python -m support.permissions.record $(ARGS) && PYTHONPATH=tests $(BIN)/python -m support.permissions.report

# Others' tools, for tests/local/test_others_tools.py: each list in an environment of its own, since they do not get
# along with ours. A test whose tool is not there is skipped.
tools: .cache/tools/installed .cache/old-tools/installed ## Install others' tools, which make test tries on the local AWS

.cache/%/installed: tests/local/%.txt | $(INSTALLED)
	@echo "Installing the tools of $< into $(@D) …"
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D) && \
		$(INSTALL) --python $(@D)/bin/python -r $< && touch $@ || \
		echo "They could not be installed: the tests that need them are skipped." >&2

# MiniStack alone: what else is there keeps its version. CONTRIBUTING.md says what to do then.
upgrade-local-aws: $(INSTALLED) ## Take the newest MiniStack (VERSION=… another), say what to review, then make corrections
	@version="$(VERSION)"; \
	test -n "$$version" || version=$$($(BIN)/python -m pip index versions ministack 2>&1 | sed -n 's/^ministack (\(.*\))$$/\1/p'); \
	test -n "$$version" || { echo "The index does not tell the newest version; name one: VERSION=…" >&2; exit 1; }; \
	echo "MiniStack $$version:"; \
	sed -i.before "s/\(ministack\[full\]==\)[^\"]*/\1$$version/" pyproject.toml && rm pyproject.toml.before
	@$(MAKE) --no-print-directory lib/local/requirements.txt UPGRADE="--upgrade-package ministack"
	@$(BIN)/runbook local stop
	@$(BIN)/python -m lib.local.originals && review=nothing || review="what is named above"; \
	$(MAKE) --no-print-directory corrections && table="all are needed" || table="see the table"; \
	echo "to review: $$review · corrections: $$table"; test "$$review $$table" = "nothing all are needed"

requirements: $(BIN)/uv ## Compile requirements.txt and lib/local/requirements.txt anew, with the newest versions
	$(COMPILE) --group test --output-file requirements.txt pyproject.toml
	$(COMPILE) --group install --output-file requirements-uv.txt
	@$(MAKE) --no-print-directory lib/local/requirements.txt

.PHONY: lib/local/requirements.txt
lib/local/requirements.txt: $(BIN)/uv
	$(COMPILE) --group local-aws --output-file $@

$(BIN)/uv: $(INSTALLED)
	@test -x $@ || { echo "make: uv is needed, and could not be installed: see requirements-uv.txt" >&2; exit 1; }

# The reset stops the server, so that none is left behind without its files.
clean: ## Stop the AWS on this laptop and remove all that is not in git: environments, runs, ledgers
	@if [ -e .local-aws/state/server.json ]; then \
		$(MAKE) --no-print-directory install && RUNBOOK_HOME= $(BIN)/runbook local reset --yes; fi
	@grep -sL '"account_id": "000000000000"' run_data/*.json | grep . && \
		echo "run_data is kept: these say what exists in real accounts" || rm -rf run_data
	@rm -rf .venv .local-aws runs .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -prune -exec rm -rf {} + -o -name .ipynb_checkpoints -prune -exec rm -rf {} +

# A killed installation leaves no stamp, so the next one takes it up; a .venv without a working pip is made anew.
# Without uv pip does it, which takes two minutes. What is imported at once is compiled here, for whoever has set
# PYTHONDONTWRITEBYTECODE in the shell: uv compiles nothing.
$(INSTALLED): requirements.txt requirements-uv.txt pyproject.toml setup.py runbook_lib_first.py lib/base/packages.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Say which one to take: make PYTHON=python3.12 ..."; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "make: $(PYTHON) has no ensurepip; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; } >&2
	@echo "Installing the runbook into .venv (less than a minute, once)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@while sleep 2 && kill -0 $$$$ 2>/dev/null; do printf .; done & dots=$$!; \
	$(INSTALL) --no-deps --require-hashes -r requirements.txt && $(INSTALL) --no-deps -e . && \
	$(BIN)/python -c 'import lib.cli.main, lib.execution.report'; status=$$?; \
	kill $$dots; echo; exit $$status
	@touch $@
