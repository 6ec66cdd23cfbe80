# Two commands do everything on a fresh machine with Python 3.11+ and make:
#   make train   environment, installation, the main job (the wave equation by its recipe)
#   make test    environment, installation, the tests
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test slow lint types check clean

train: .venv/ready
	$(BIN)/python train.py $(ARGS)

# A process for each core, one thread in each: the tests' networks are small.
test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile $(ARGS)

slow: .venv/ready
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Checked as a wheel lays the rooms out: `callbacks` and `datamodules` inside the package.
types: .venv/ready
	rm -rf build/typed && mkdir -p build/typed
	cp -r mask_pinns train.py build/typed && cp -r callbacks datamodules build/typed/mask_pinns
	cd build/typed && ../../$(BIN)/mypy --config-file ../../pyproject.toml mask_pinns train.py

check: test lint types

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv build *.egg-info
