# `make app`, `make demo` and `make test` set up all they need; once that is done they start at once.
PYTHON ?= python3
BIN := .venv/bin
# requirements.lock: the same, with every package that comes along and the hashes of all.
REQUIREMENTS ?= requirements.txt

.PHONY: app demo test test-v4l2 lint lock clean

app: .venv/runtime-ready
	$(BIN)/python run.py

demo: .venv/runtime-ready
	$(BIN)/python run.py demo

test: lint
	$(BIN)/python -m pytest

# With real camera drivers, in a machine emulated by QEMU: needs Debian, and root for what is not installed; else it is skipped.
test-v4l2: .venv/dev-ready
	tests/e2e/vm/machine env PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest -p no:cacheprovider --durations=5 \
		$(PYTEST_OPTIONS) tests/outputs/test_v4l2loopback.py tests/e2e/vm

lint: .venv/dev-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Writes requirements.lock again, after requirements.txt has changed.
lock: .venv/runtime-ready
	@$(BIN)/pip install --quiet uv
	@sed -i '/^# end of header/q' requirements.lock
	@$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate --quiet requirements.txt >> requirements.lock
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python packaging/make.py lock

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache demo.mp4

.venv/runtime-ready: requirements.txt .ci/system-libraries
	@PYTHON="$(PYTHON)" .ci/system-libraries
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@echo "Installing the Python packages into .venv (minutes and a few gigabytes the first time) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS)
	@touch $@

.venv/dev-ready: .venv/runtime-ready requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
