# `make run` and `make test` need Python 3.11 or later, git and make; everything else they bring themselves.
.PHONY: run staff test prove bench check lock screenshots clean-data setup
.SILENT:

WANTED := import sys; sys.exit(sys.version_info[:2] < (3, 11))
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do $$p -c '$(WANTED)' 2>/dev/null && echo $$p && break; done)
IN := .venv/bin
RUN := $(IN)/python -m

run: setup
	exec $(RUN) app.local run

# A one-use link into the staff console of the installation that runs: make staff EMAIL=you@example.com, and for all but
# the first member also who asks: AS=ola@example.com
staff: setup
	exec $(RUN) app.local sentinel staff invite $(EMAIL) --as $(or $(AS),$(EMAIL)) --reason "make staff"

# What is quick: every commit passes it.
test: check
	exec $(RUN) pytest tests -m "not prove" -n 2 --dist loadgroup

# What is long: kill loops, deep fuzzing, the full matrix.
prove: setup
	exec $(RUN) pytest tests -m prove --timeout 1800

bench: setup
	exec $(RUN) tests.benchmarks

check: setup
	$(IN)/ruff check app tests migrations wsgi.py
	$(IN)/ruff format --check app tests migrations wsgi.py
	$(IN)/mypy
	$(IN)/lint-imports --no-cache

# The packages of the lock, chosen anew from pyproject.toml; it names no registry.
lock: setup
	$(IN)/uv pip compile --quiet --upgrade --python-version 3.11 pyproject.toml --group dev --generate-hashes --no-header --no-annotate --no-emit-index-url --output-file requirements.lock

screenshots: setup
	exec $(RUN) tests.screenshots

clean-data: setup
	exec $(RUN) app.local clean

setup:
	$(if $(PYTHON),,$(error Sentinel needs Python 3.11 or later: install python3.11, or name one with PYTHON=...))
	$(PYTHON) -m app.local.setup
