# Everything there is to type. Each target does the set-up it needs, once: stamps in .venv and .cache remember.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check install --quiet
LOCK := $(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

RUST := $(shell find kernel \( -name target -o -path kernel/fuzz \) -prune -o \( -name '*.rs' -o -name 'Cargo.*' \) -print)
PACKAGES := gateway listeners normalizers forwarders pipeline wire kernel

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/built  ## set up what is missing, then a demo gateway with a simulated sender
	@exec $(PYTHON) -m gateway.demo

.PHONY: setup
setup: $(VENV)/built $(VENV)/kerberos  ## leave .venv/bin/tidegate, its kernel built in release mode, Kerberos where it can be

.PHONY: test-setup
test-setup: setup $(VENV)/tested .cache/apt/unpacked .cache/kafka/unpacked  ## add what the tests need: packages, and peers unpacked below .cache

.PHONY: test
test: test-setup  ## the whole test suite
	@$(PYTHON) -m pytest

.PHONY: test-image
test-image: $(VENV)/tested  ## the Dockerfile's own steps in bare Debian roots, and what comes of them run; as root, needs debootstrap, takes minutes
	@PYTHONPATH=tests $(PYTHON) tests/deploy/build_image.py

.PHONY: walk
walk: $(VENV)/tested  ## README's two commands in a bare Debian root, timed; as root, needs debootstrap, takes as long as the tests
	@PYTHONPATH=tests $(PYTHON) tests/deploy/walk_readme.py

.PHONY: lint
lint: test-setup  ## everything that judges without running: ruff, mypy, the stub, imports, cargo fmt and clippy
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(PYTHON) -m mypy.stubtest kernel._native
	@$(VENV)/bin/lint-imports --no-logo
	@cargo fmt --manifest-path kernel/Cargo.toml --all -- --check
	@cargo clippy --quiet --locked --manifest-path kernel/Cargo.toml --workspace --all-targets -- -D warnings
	@cargo fmt --manifest-path kernel/fuzz/Cargo.toml -- --check
	@cargo clippy --quiet --locked --manifest-path kernel/fuzz/Cargo.toml --no-default-features -- -D warnings

.PHONY: test-kernel
test-kernel:  ## the kernel's own tests
	@cargo test --quiet --locked --manifest-path kernel/Cargo.toml --workspace

SECONDS := 60
TARGETS = $(or $(TARGET),$(patsubst kernel/fuzz/fuzz_targets/%.rs,%,$(wildcard kernel/fuzz/fuzz_targets/*.rs)))

.PHONY: fuzz
fuzz: test-setup .cache/cargo-fuzz/installed  ## the kernel's fuzz targets, each for SECONDS=60, or one: make fuzz TARGET=radius; needs a C++ compiler
	@rm -rf .cache/fuzz/documents .cache/fuzz/seeds
	@PYTHONPATH=.:tests $(PYTHON) tests/support/fuzz_seeds.py .cache/fuzz
	@set -e; for target in $(TARGETS); do \
		mkdir -p kernel/fuzz/corpus/$$target .cache/fuzz/seeds/$$target; \
		PATH="$(CURDIR)/.cache/cargo-fuzz/bin:$$PATH" cargo fuzz run --fuzz-dir kernel/fuzz --sanitizer none $$target \
			kernel/fuzz/corpus/$$target .cache/fuzz/seeds/$$target -- -max_total_time=$(SECONDS) -max_len=140000 -timeout=20 -rss_limit_mb=1024; \
	done

.PHONY: format
format: test-setup  ## lay out all sources
	@$(VENV)/bin/ruff check --fix --quiet --exit-zero
	@$(VENV)/bin/ruff format
	@cargo fmt --manifest-path kernel/Cargo.toml --all
	@cargo fmt --manifest-path kernel/fuzz/Cargo.toml

.PHONY: bench
bench: test-setup  ## Tidegate against its peers on the same work, to bench/results.md; one row alone, to the terminal: make bench ROW=tcp-xml
	@$(PYTHON) bench/against $(if $(ROW),$(ROW),--output bench/results.md)

.PHONY: docs
docs: $(VENV)/documented  ## the documentation's site to .cache/site/html; a link that leads nowhere fails it
	@rm -rf .cache/site
	@mkdir -p .cache/site/pages
	@cp -r --parents README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md bench/results.md docs .cache/site/pages
	@mv .cache/site/pages/docs/zensical.toml .cache/site
	@rm -r .cache/site/pages/docs/generate
	@cd .cache/site && $(CURDIR)/$(VENV)/bin/zensical build --strict

.PHONY: references
references: test-setup  ## the pages that the program itself can write: settings, commands, metrics, schema
	@PYTHONPATH=. $(PYTHON) docs/generate/references.py

# As Debian's cross compilers (gcc-aarch64-linux-gnu) are called.
CROSS := CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc

.PHONY: wheel
wheel: setup  ## a wheel of this machine's kind in dist/, or, with a cross compiler, of another: make wheel TARGET=aarch64-unknown-linux-gnu
	@rm -rf dist
	@$(if $(TARGET),rustup target add $(TARGET) && $(CROSS)) $(VENV)/bin/maturin build --quiet --release --locked --out dist $(if $(TARGET),--target $(TARGET))
	@ls dist

.PHONY: sbom
sbom: test-setup  ## what Tidegate is made of, in CycloneDX, to dist/tidegate.cdx.json
	@$(PYTHON) requirements/write_sbom.py dist/tidegate.cdx.json

.PHONY: lock
lock: test-setup  ## choose the newest versions that pyproject.toml allows, and pin them by hash
	@$(LOCK) --upgrade pyproject.toml --extra dev --output-file requirements/dev.txt
	@$(LOCK) pyproject.toml --constraint requirements/dev.txt --output-file requirements/run.txt
	@echo 'maturin' | $(LOCK) - --constraint requirements/dev.txt --output-file requirements/build.txt
	@$(LOCK) pyproject.toml --extra kerberos --constraint requirements/dev.txt --output-file requirements/kerberos.txt
	@$(LOCK) pyproject.toml --extra kafka --constraint requirements/dev.txt --output-file requirements/kafka.txt
	@printf 'cython\nsetuptools\n' | $(LOCK) - --constraint requirements/dev.txt --output-file requirements/kerberos-build.txt
	@printf 'cyclonedx-python-lib\npackaging\n' | $(LOCK) - --constraint requirements/dev.txt --output-file requirements/sbom.txt
	@echo 'zensical' | $(LOCK) - --constraint requirements/dev.txt --output-file requirements/docs.txt

.PHONY: clean
clean:  ## forget everything that was made here
	rm -rf $(VENV) .cache .demo dist kernel/target kernel/fuzz/target kernel/fuzz/corpus kernel/fuzz/artifacts kernel/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(PACKAGES) tests bench -name __pycache__ -prune -exec rm -rf {} +

# The stamps. pip refuses whatever isn't pinned by hash; the editable install writes the kernel beside its stub, so that
# Python is edited in place and only Rust asks for a build.

$(VENV)/created:
	@requirements/system-packages
	@python3 -m venv $(VENV)
	@touch $@

$(VENV)/installed: requirements/run.txt requirements/build.txt | $(VENV)/created
	@echo "installing Python packages into $(VENV)"
	@$(PIP) --require-hashes --requirement requirements/run.txt --requirement requirements/build.txt
	@touch $@

$(VENV)/built: $(VENV)/installed pyproject.toml $(RUST)
	@echo "building the kernel"
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PIP) --no-deps --no-build-isolation --no-index --editable .
	@touch $@

# Kerberos' bindings are published as sources alone. Without them everything else works; the stamp stays away, so that the next setup tries again.
$(VENV)/kerberos: requirements/kerberos.txt requirements/kerberos-build.txt | $(VENV)/installed
	@if requirements/kerberos-library \
		&& echo "building Kerberos' Python packages, which takes minutes" \
		&& $(PIP) --require-hashes --requirement requirements/kerberos-build.txt \
		&& $(PIP) --require-hashes --no-build-isolation --requirement requirements/kerberos.txt; \
	then touch $@; else echo "make setup: going on without Kerberos endpoints"; fi

$(VENV)/tested: requirements/dev.txt $(VENV)/installed
	@echo "installing what the tests need into $(VENV)"
	@$(PIP) --require-hashes --requirement requirements/dev.txt
	@touch $@

$(VENV)/documented: requirements/docs.txt | $(VENV)/created
	@echo "installing what builds the documentation into $(VENV)"
	@$(PIP) --require-hashes --requirement requirements/docs.txt
	@touch $@

.cache/apt/unpacked: tests/support/unpack-peers
	@echo "unpacking rsyslog, loggen, a Kerberos KDC and FreeRADIUS below .cache for the tests; nothing is installed"
	@tests/support/unpack-peers
	@touch $@

# Without Java and Maven the stamp stays away, so that the next setup tries again.
.cache/kafka/unpacked: tests/support/unpack-kafka tests/support/kafka.pom.xml
	@echo "fetching Kafka's jars below .cache for the tests"
	@tests/support/unpack-kafka
	@test ! -d $(@D)/lib || touch $@

.cache/cargo-fuzz/installed:
	@echo "building cargo-fuzz below .cache"
	@cargo install --quiet --locked --version 0.13.2 --root $(@D) cargo-fuzz
	@touch $@
