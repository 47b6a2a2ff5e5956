# `make demo` trains an LSTM on Python source; `make test` runs every test. Either sets up .venv once.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
RUN ?= runs/demo

.PHONY: demo test check format clean

demo: $(READY)
	$(BIN)/gatework demo --out $(RUN)

test: $(READY)
	$(BIN)/pytest -n 2

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
