# Two commands on a fresh machine: `make serve` and `make test`.
PYTHON ?= python3
VENV ?= .venv
TORCH ?= --require-hashes --requirement requirements-torch.lock
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
PORT ?= 8000

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: serve test check lock licences audit clean

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
ALONE = install --retries 0 --no-deps --extra-index-url $(TORCH_INDEX)

$(VENV)/installed: pyproject.toml requirements.lock requirements-torch.lock | $(VENV)/bin/python
	@echo "Installing into $(VENV) (about 450 MB the first time)"
	@$(PIP) $(ALONE) $(TORCH)
	@$(BIN)/python -c 'import importlib.util as i, sys; sys.exit(not i.find_spec("torch"))' || ( \
	  echo "No hash of PyTorch is known for this Python and machine: taken as it comes" && \
	  $(PIP) $(ALONE) torch==2.13.0 )
	@$(PIP) install --require-hashes --no-deps --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/tested: $(VENV)/installed requirements-test.lock
	@$(PIP) install --require-hashes --no-deps --requirement requirements-test.lock
	@touch $@

# Ray and S3: nobody needs them on one machine; their tests run where they are installed.
$(VENV)/extras: $(VENV)/tested requirements-extras.lock
	@$(PIP) install --require-hashes --no-deps --requirement requirements-extras.lock
	@touch $@

# What is already locked stays at its version; remove a file to lock it anew.
UV ?= uv
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-annotate --no-header --constraint requirements-torch.lock --no-emit-package torch

without = $$(sed -n "/== 'PyPy'/!s/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p" $(1))

lock: ## the newest versions that fit pyproject.toml, and the hashes of all their files
	$(COMPILE) --group build --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra test --extra postgres --constraint requirements.lock \
	  $(call without,requirements.lock) --output-file requirements-test.lock pyproject.toml
	$(COMPILE) --extra ray --extra s3 --group s3-test \
	  --constraint requirements.lock --constraint requirements-test.lock \
	  $(call without,requirements.lock requirements-test.lock) \
	  --output-file requirements-extras.lock pyproject.toml

licences: $(VENV)/tested ## writes LICENCES.md anew
	$(BIN)/python -m tests.licences

audit: $(VENV)/tested ## asks PyPI for known vulnerabilities of what is locked; takes a network
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip --quiet install pip-audit
	for each in requirements.lock requirements-test.lock requirements-extras.lock; do \
	  $(VENV)/audit/bin/pip-audit --strict --disable-pip --requirement $$each || exit 1; done

clean: ## remove the virtual environment; generations stay where they are
	rm -rf $(VENV)
