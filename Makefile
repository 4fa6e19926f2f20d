# Two commands on a fresh machine: `make serve` and `make test`.
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
PORT ?= 8000

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: serve test check clean

serve: $(VENV)/installed ## set-up, first build, pages and API on 127.0.0.1
	$(BIN)/instead serve --port $(PORT)

test: $(VENV)/tested ## set-up and all tests
	$(BIN)/python -m pytest --cov --cov-report=term

check: $(VENV)/tested ## what must hold before the tests are worth running
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) || ( \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	  $(PYTHON) -m pip --python $(VENV)/bin/python install pip )

# PyTorch comes first and alone: its CPU build has no CUDA packages behind it. Where
# PyTorch's own index is out of reach, pip takes the build that a mirror or --find-links has.
$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV) (about 450 MB the first time)"
	@$(PIP) install --retries 0 --no-deps --extra-index-url $(TORCH_INDEX) $(TORCH)
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/tested: $(VENV)/installed
	@$(PIP) install --constraint constraints.txt --editable '.[test]'
	@touch $@

clean: ## remove the virtual environment; generations stay where they are
	rm -rf $(VENV)
