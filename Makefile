# `make` prints the targets. Everything is installed below this folder: .venv and .tools.
.DEFAULT_GOAL := help
.PHONY: help demo dev tools oracles images check fix test boots cover goldens bench accuracy gpu schemas catalogs clean

PY := .venv/bin/python
# Tests marked with one xdist_group share a worker: an engine's parser takes seconds to start.
PYTEST := $(PY) -m pytest -n 2 --dist loadgroup

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/bin/llmdeploy ## Compile the hybrid example to four targets and show its plan
	.venv/bin/llmdeploy build examples/02-hybrid/llm.yaml
	.venv/bin/llmdeploy plan examples/02-hybrid/llm.yaml --no-why

.venv/bin/llmdeploy: pyproject.toml
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

dev: .venv/.ready ## Create .venv: the package, editable, and its development tools

.venv/.ready: pyproject.toml scripts/dev.sh
	@scripts/dev.sh

tools: dev ## Install helm, kubectl, Docker Compose, hadolint, nginx and Chromium
	@$(PY) scripts/install_tools.py

oracles: dev ## Install the real engines, to be asked and booted on the CPU, into .tools (6 GB)
	@$(PY) scripts/install_vllm_parser.py 0.32
	@$(PY) scripts/install_vllm_parser.py 0.33
	@$(PY) scripts/install_sglang_parser.py

images: oracles tools ## Make local images of vLLM and nginx, for tests on a dockerd of their own (root; 5 GB)
	@$(PY) scripts/make_images.py

check: dev ## Lint, formatting and types
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

fix: dev ## Format, and apply the linter's safe fixes
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

test: dev tools ## Run the tests
	$(PYTEST)

boots: images ## Run the tests that boot real engines, also on a dockerd of their own (root)
	$(PYTEST) --boot -m boots

cover: dev tools ## Run the tests and say which lines of the package none of them reaches
	$(PYTEST) --cov=llmdeploy --cov-report=term-missing:skip-covered

goldens: dev tools ## Run the tests and rewrite the golden files; review the diff
	$(PYTEST) --update-goldens

bench: dev tools ## Time the compiler; BEFORE=COMMIT compares with an earlier one
	$(PY) scripts/bench.py $(if $(BEFORE),--before $(BEFORE))

accuracy: dev ## Hold the ledger of memory against recorded start-ups; POINTS=FILE, FORMAT=json
	@$(PY) scripts/accuracy $(if $(POINTS),--points "$(POINTS)") $(if $(FORMAT),--format $(FORMAT))

gpu: dev ## On a machine with a GPU: boot what is compiled, beside the ledger, smoke-test it and load it; ENGINE_BIN=DIR of vLLM
	@test -n "$(ENGINE_BIN)" || { echo "gpu: name the directory of vllm and its python: make gpu ENGINE_BIN=DIR" >&2; exit 2; }
	$(PY) scripts/gpu --engine-bin $(ENGINE_BIN) --out .gpu-results boots
	$(PY) scripts/gpu --engine-bin $(ENGINE_BIN) --out .gpu-results smoke
	$(PY) scripts/gpu --engine-bin $(ENGINE_BIN) --out .gpu-results throughput

schemas: dev ## Regenerate schemas/: ours from the models, vendored ones from their packages
	$(PY) -c 'from llmdeploy.spec.schema import json_schema_text as text; print(text(), end="")' > .schema.json
	mv .schema.json schemas/llm.schema.json
	$(PY) scripts/vendor_schemas.py

catalogs: oracles ## Compile the reviewed catalog sources, and ask the engines' parsers, for the JSON that is read
	$(PY) scripts/catalogs/compile.py
	$(PY) scripts/catalogs/flags

clean: ## Remove .venv, .tools and caches
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis
