# `make run` answers the question of the first scenario, `make test` checks everything, `make bench` measures.
# Each sets itself up in .venv, and again only after pyproject.toml has changed.

PYTHONS ?= python3.11 python3 python3.12 python3.13 python
VENV ?= .venv
SCENARIO ?= scenarios/five-nines.yaml
BENCH ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test bench clean

run: $(VENV)/.ready
	@$(BIN)/callsim run $(SCENARIO); code=$$?; \
	case $$code in \
	0) echo "callsim ended with 0: every objective is met" ;; \
	1) echo "callsim ended with 1: an objective is breached, which is an answer too" ;; \
	3) echo "callsim ended with 3: inconclusive, more years have to tell" ;; \
	*) echo "callsim ended with $$code: no answer" >&2; exit $$code ;; \
	esac

test: $(VENV)/.ready-to-test
	@tests/peers/install.sh
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
# Calls in real time share the machine with the other tests here: what failed has to pass by itself, and is told.
	$(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal || { test $$? -eq 1 && \
		echo "What failed is tried once more, by itself:" && \
		$(BIN)/pytest --last-failed --last-failed-no-failures none --verbose; }

bench: $(VENV)/.ready-to-test
	$(BIN)/python benchmarks/run.py $(BENCH)

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.ready: pyproject.toml | $(VENV)/bin/python
	$(PIP) -e .
	@touch $@

$(VENV)/.ready-to-test: pyproject.toml | $(VENV)/bin/python
	$(PIP) -e '.[dev]'
	@touch $(VENV)/.ready $@

# A name on the path need not be a Python that works, and Debian's has no pip without python3-venv.
$(VENV)/bin/python:
	@for python in $(PYTHONS); do \
		if $$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "making $(VENV) with $$($$python --version)"; \
			$$python -m venv $(VENV) && exit 0; rm -rf $(VENV); exit 1; \
		fi; \
	done; \
	echo "callsim needs Python 3.11 or newer with its venv module (on Debian: apt install python3-venv)" >&2; \
	exit 1
