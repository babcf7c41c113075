# Yanlu: `make run` shows it, `make test` is all that CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test test-all prove-anonymity cluster-test crash-test pictures bench format catalogue requirements clean provision gates

run: $(VENV)/.run
	@$(BIN)/flask --app app serve --demo

test: $(VENV)/.dev provision gates
	@echo "== tests"
	@$(BIN)/pytest -n 2 --dist loadgroup -m "not long"

test-all: $(VENV)/.dev gates
	@$(BIN)/python tests/provision.py --long
	@echo "== tests, the long ones too"
	@$(BIN)/pytest -n 2 --dist loadgroup

# The attack on the deployed stack, on both databases, and every trap put back. Over an hour.
prove-anonymity: $(VENV)/.dev provision
	@$(BIN)/python -m tests.attack

# A cluster of three machines in namespaces of this one, broken in turn under load. As root; some ten minutes.
cluster-test: $(VENV)/.cluster
	@$(BIN)/python tests/provision.py --cluster
	@$(BIN)/python -m tests.cluster

# A hundred SIGKILLs of the application on each database, of PostgreSQL itself, and the disks. An hour.
crash-test: $(VENV)/.dev
	@$(BIN)/python -m tests.crash

provision: $(VENV)/.dev
	@$(BIN)/python tests/provision.py

gates: $(VENV)/.dev
	@echo "== format"
	@$(BIN)/ruff format --check --quiet .
	@echo "== lint"
	@$(BIN)/ruff check --quiet .
	@echo "== types"
	@$(BIN)/mypy --no-error-summary
	@echo "== contracts"
	@$(BIN)/lint-imports --no-cache > $(VENV)/contracts.log || { cat $(VENV)/contracts.log; exit 1; }

# The guides' screenshots in docs/pictures; then every page in every look, kept nowhere.
pictures: $(VENV)/.dev provision
	@$(BIN)/python -m tests.guides
	@$(BIN)/python -m tests.contact_sheets

# Every measurement that stands in bench/, in turn.
bench: $(VENV)/.dev
	@for file in bench/*.py; do \
	  grep -q __main__ "$$file" || continue; \
	  echo "== $$file"; \
	  $(BIN)/python -m "bench.$$(basename "$$file" .py)" || exit 1; done

format: $(VENV)/.dev
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

# New sentences into the catalogues; `make test` fails while one is missing or untranslated.
catalogue: $(VENV)/.dev
	@$(BIN)/python tests/catalogue.py update

requirements: $(VENV)/.dev
	@$(BIN)/pip install --quiet uv
	@cd requirements && for name in run dev cluster; do \
	  ../$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	    --no-header --no-emit-index-url --no-emit-find-links \
	    $$([ $$name = dev ] && echo "-c run.txt" || [ $$name = run ] || echo "-c dev.txt") \
	    $$name.in -o $$name.txt; done

# The stamp is written last: a venv whose making was interrupted is made anew.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Yanlu needs Python 3.11 or newer; $(PYTHON) is missing or older. Try: make PYTHON=python3.11"; \
	  echo "言路需要 Python 3.11 或更新的版本。"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing. On Debian: apt install python3-venv"; \
	  echo "缺少 venv 模块，请先安装 python3-venv。"; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements/run.txt
	@echo "== installing what Yanlu runs on"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/run.txt || { \
	  echo "The packages could not be installed: is the package index reachable? Run the same command again."; \
	  echo "依赖没有装上：请检查网络或软件源，再运行一次同样的命令。"; exit 1; }
	@touch $@

$(VENV)/.dev: $(VENV)/.made requirements/dev.txt
	@echo "== installing what the tests need"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt || { \
	  echo "The packages could not be installed: is the package index reachable? Run the same command again."; \
	  exit 1; }
	@touch $@ $(VENV)/.run

$(VENV)/.cluster: $(VENV)/.dev requirements/cluster.txt
	@echo "== installing what the cluster's test needs"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/cluster.txt
	@touch $@

clean:
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache
