# Two commands do everything on a fresh machine with Python 3.11+ and make:
#   make train   environment, installation, the main job (the wave equation by its recipe)
#   make test    environment, installation, the tests
# make docs builds the documentation site.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test slow lint types docs gallery as_installed check clean

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

types: as_installed
	cd build/as_installed && ../../$(BIN)/mypy --config-file ../../pyproject.toml mask_pinns train.py

# The site, in build/site: every page made, every link checked. `make docs ARGS=serve` shows it while one writes.
docs: as_installed
	PYTHONPATH=. $(BIN)/mkdocs $(or $(ARGS),build --strict --quiet)

# The pictures of the gallery, made anew by its scripts in full (or: make gallery ARGS="heat wave").
gallery: .venv/ready
	$(BIN)/python docs/site/gallery.py $(ARGS)

# As a wheel lays the rooms out, for what reads the code: `callbacks` and `datamodules` inside the package.
as_installed: .venv/ready
	rm -rf build/as_installed && mkdir -p build/as_installed
	cp -r mask_pinns train.py build/as_installed && cp -r callbacks datamodules build/as_installed/mask_pinns

check: test lint types

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv build *.egg-info
