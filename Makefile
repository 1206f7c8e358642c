# Every target makes what it needs, on a fresh machine too. `make` alone explains them.
.DEFAULT_GOAL := help
.PHONY: help env demo test check interop scaffolds faults mutations bench screenshots docs pins clean chromium postgresql sftp ext4
SHELL := /bin/sh
PY := .venv/bin/python
# Many short processes start here; without compiled modules each would spend seconds on reading ours.
unexport PYTHONDONTWRITEBYTECODE

help: ## show this list
	@echo "Social prescribing adapter: from a clinic's EMR to a community program and back."
	@echo
	@echo "  Start here:  make demo     three referrals travel the whole loop on this machine"
	@echo "               make test     every test, in about ten minutes"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo
	@echo "  Options:     make demo ARGS=--serve        keep it running, and look around"
	@echo "               make test ARGS='-k mapping'   anything that pytest takes"

env: ## make .venv/ with pinned packages, the tools and our distributions (others do this for you)
	@sh scripts/env

demo: env ## run the whole loop: EMR, adapter, e-mail, agency, and the answer back
	@.venv/bin/adapter demo $(ARGS)

test: env chromium postgresql sftp ext4 ## run every test
	@$(PY) -m pytest -q -n auto --dist loadfile $(ARGS)

check: env ## formatting, lint, types and import direction
	@echo "== format"  && $(PY) -m ruff format --check .
	@echo "== lint"    && $(PY) -m ruff check .
	@echo "== types"   && $(PY) -m mypy
	@echo "== imports" && .venv/bin/lint-imports

scaffolds: env ## make a plugin with each choice that `adapter plugins new` has, and examine it
	@$(PY) tests/scaffolds/run.py $(ARGS)

interop: env ## check our messages and resources with other makers' software
	@$(PY) tests/interop/run_interop.py $(ARGS)

faults: env postgresql ext4 ## break what can break (kills, disks, peers, clocks) and count; ARGS=--quick: 2 minutes
	@$(PY) tests/faults/run_faults.py $(ARGS)

mutations: env ## bend every row of the mapping packs, one at a time; each must be noticed
	@$(PY) tests/mutations/run_mutations.py $(ARGS)

bench: env postgresql ## measure speed against the machine's own limits; writes build/bench.json
	@$(PY) bench/run_bench.py $(ARGS)

screenshots: env chromium ## take pictures of every page of an agency, EN and FR, into build/screenshots/
	@$(PY) tests/browser/screenshots.py

docs: env ## write the reference pages that follow from the program
	@$(PY) scripts/build_reference.py
	@$(PY) scripts/build_plugin_reference.py

pins: ## pin all third-party packages again (needs uv); ARGS=--upgrade takes the newest
	@sh scripts/pin $(ARGS)

clean: ## remove .venv/, build/ and caches
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

chromium: env
	@$(PY) scripts/system_package.py chromium "the browser tests" chromium
	@$(PY) scripts/system_package.py libatomic1 "Playwright, which drives the browser" '/usr/lib/*/libatomic.so.1'

postgresql: env
	@$(PY) scripts/system_package.py postgresql "the tests of stores and clusters" \
	    '/usr/lib/postgresql/*/bin/postgres' postgres

sftp: env
	@$(PY) scripts/system_package.py openssh-client "the tests of exchange by SFTP" sftp

ext4: env
	@$(PY) scripts/system_package.py e2fsprogs "the tests that cut a disk's power" \
	    '/usr/sbin/mkfs.ext4' '/sbin/mkfs.ext4'
