# `make demo` trains an LSTM on Python source; `make test` runs every test. Either sets up .venv once.
PYTHON ?= python3
BIN := .venv/bin
TOOLS := .venv/.tools
MODULES := .venv/.modules
READY := .venv/.ready
RUN ?= runs/demo
ROOM ?= notation
COUNT ?= 60
SEED ?= 1
REQUIREMENTS ?= requirements-dev.txt

.PHONY: demo test test-avx2 test-baseline test-oldest coverage mutants check check-project check-page check-site site \
    source format sanitize emulate clean FORCE

# The source of the running Python's own standard library, about 11 MB, without its tests.
demo: $(READY)
	@echo 'Training an LSTM on the source of the Python library for two minutes.'
	@$(BIN)/gatework train text "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
	    --suffix .py --exclude test --exclude tests --exclude idlelib --exclude '*-packages' \
	    --weight-decay 0.05 --evaluate-every 1000 --minutes 2 --out $(RUN) --overwrite
	@echo; echo 'What it writes after "def ":'; echo
	@$(BIN)/gatework sample $(RUN) --prompt 'def ' --length 500 --temperature 0.8 --seed 4
	@echo; echo 'Looking into it, on a module that it was not trained on (a minute):'; echo
	@$(BIN)/gatework inspect $(RUN) "$$($(BIN)/python -c 'import xmlrpc.client; print(xmlrpc.client.__file__)')" \
	    --out $(RUN)/page.html
	@printf '%s\n' '' 'What to try next:' \
	    '  source .venv/bin/activate' \
	    '  gatework sample $(RUN) --prompt "class " --temperature 0.9' \
	    '  gatework score $(RUN) Makefile                      # bits per character of any text' \
	    '  gatework inspect $(RUN) Makefile --open             # which unit does what, on any text' \
	    '  gatework train text YOUR_TEXT --minutes 5 --out runs/mine' \
	    '  gatework train text YOUR_TEXT --cell gru --out runs/gru' \
	    '  gatework cells peephole_lstm --backward             # every cell is its equations'

test: $(READY)
	$(BIN)/pytest -n 2

# Which lines and branches the quick tests run: a table of the files that are not covered wholly, and build/coverage.
coverage: $(READY)
	$(BIN)/pytest -n 2 -m "not slow and not browser" --cov --cov-report=term --cov-report=html:build/coverage

# What the tests of a room notice of COUNT small changes of its source, drawn with SEED; 0 is all of them.
mutants: $(READY)
	@$(BIN)/python tests/mutants.py $(ROOM) --count $(COUNT) --seed $(SEED)

NATIVE := $(wildcard native/*.h native/*.cpp native/include/*.h native/tests/*.cpp examples/c/*.c)
check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/clang-format --dry-run --Werror $(NATIVE)
	$(BIN)/mypy
	$(BIN)/lint-imports

# The files that describe the project to others: workflows, forms, citation, package.
SCHEMA := $(BIN)/check-jsonschema --builtin-schema
check-project: $(READY)
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA) vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(SCHEMA) vendor.citation-file-format CITATION.cff
	$(BIN)/validate-pyproject pyproject.toml

# The page's scripts: their types, and what a linter says. Needs npm.
PAGE := tests/page
check-page: $(PAGE)/node_modules/.ready
	npm --prefix $(PAGE) run --silent check

$(PAGE)/node_modules/.ready: $(PAGE)/package.json $(PAGE)/package-lock.json
	npm --prefix $(PAGE) ci --silent --no-audit --no-fund
	touch $@

# The documentation as a site, in build/site, and whether all its links lead somewhere. Its tools have an environment of
# their own, and read the package's sources without importing them.
SITE := .venv-site
site: $(SITE)/.ready
	@mkdir -p build
	$(SITE)/bin/zensical build --strict --clean > build/site.log 2>&1; status=$$?; cat build/site.log; exit $$status
	@! grep -q '^griffe:' build/site.log  # a docstring that cannot be read is no error there

check-site: site
	$(SITE)/bin/python tests/docs/site.py build/site

$(SITE)/.ready: requirements-site.txt
	$(PYTHON) -m venv --clear $(SITE)
	$(SITE)/bin/pip install --quiet --requirement requirements-site.txt
	touch $@

# The source distribution, in build/source; and from it, offline and with nothing else at hand, a wheel that runs there.
SOURCE := build/source
source: $(READY)
	rm -rf $(SOURCE) && mkdir -p $(SOURCE)
	$(BIN)/python -c 'from scikit_build_core.build import build_sdist; build_sdist("$(SOURCE)")'
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip wheel --quiet --no-index --no-build-isolation --no-deps \
	    --wheel-dir $(SOURCE) $(SOURCE)/*.tar.gz
	$(BIN)/pip install --quiet --no-index --no-deps --target $(SOURCE)/installed $(SOURCE)/*.whl
	PYTHONPATH=$(CURDIR)/$(SOURCE)/installed:$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	    $(BIN)/python -S -P -m gatework verify lstm

# What engines and layers do on a processor with AVX2 alone, and on one without: torch and oneDNN are held to it too.
# Kernels for GPUs are the same on any of them.
test-avx2: $(READY)
	GATEWORK_ISA=avx2 ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 $(BIN)/pytest -n 2 \
	    tests/engines tests/layers --ignore tests/engines/triton

test-baseline: $(READY)
	GATEWORK_ISA=baseline ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 $(BIN)/pytest -n 2 \
	    tests/engines tests/layers/test_torch_layers.py tests/layers/test_autocast.py tests/layers/test_stream.py \
	    --ignore tests/engines/triton

# With the oldest dependencies that pyproject.toml promises, in an environment over the usual one. Only these plugins of
# pytest: others there ask for a newer numpy.
PLUGINS := -p xdist.plugin -p _hypothesis_pytestplugin
OLDEST := .venv-oldest
test-oldest: $(READY) $(OLDEST)/.ready
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(OLDEST)/bin/python -m pytest $(PLUGINS) -n 2 \
	    tests/engines tests/layers tests/cli/test_help.py tests/cli/test_bad_input.py tests/cli/test_train.py tests/training tests/test_package.py

$(OLDEST)/.ready: requirements-oldest.txt $(TOOLS)
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/pip install --quiet --no-deps --requirement requirements-oldest.txt
	$(OLDEST)/bin/python -c 'import sysconfig, pathlib; \
	    pathlib.Path(sysconfig.get_path("purelib"), "usual.pth").write_text("import site; site.addsitedir(%r)" % sysconfig.get_path( \
	        "purelib", vars={"base": "$(CURDIR)/.venv", "platbase": "$(CURDIR)/.venv"}))'
	touch $@

# The core by itself, replaying the engine's calls: with every address checked, then with every access of threads.
# MUTANTS=1000000 is the thorough way, and takes an hour. Then files of models as the C library opens them, mutated.
MUTANTS ?= 20000
MODELS ?= 100000
sanitize: $(READY)
	@mkdir -p build/sanitized
	$(BIN)/python tests/core_calls.py build/sanitized/calls.txt
	$(call core_tests,build/sanitized/addresses,-DGATEWORK_SANITIZE=address$(,)undefined)
	$(call core_tests,build/sanitized/threads,-DGATEWORK_SANITIZE=thread)
	build/sanitized/addresses/core_tests build/sanitized/calls.txt replay
	build/sanitized/addresses/core_tests build/sanitized/calls.txt places
	build/sanitized/addresses/core_tests build/sanitized/calls.txt mutants $(MUTANTS)
	build/sanitized/addresses/core_tests build/sanitized/calls.txt products
	build/sanitized/threads/core_tests build/sanitized/calls.txt callers
	build/sanitized/threads/core_tests build/sanitized/calls.txt products
	$(BIN)/python tests/model_files.py build/sanitized/models
	ASAN_OPTIONS=max_allocation_size_mb=64:quarantine_size_mb=16 \
	    build/sanitized/addresses/model_tests $(MODELS) 20 build/sanitized/models/*.gw
	build/sanitized/threads/model_tests 0 20 build/sanitized/models/*.gw

# The core by itself on processors that this one is not: one without AVX, one without AVX-512; by either compiler.
# Needs clang and qemu-user. What their models have and the emulator has not is switched off, none of which the core asks for.
HASWELL := Haswell,pcid=off,x2apic=off,tsc-deadline=off,hle=off,invpcid=off,rtm=off
emulate: $(READY)
	@mkdir -p build/emulated
	$(BIN)/python tests/core_calls.py build/emulated/calls.txt 20
	$(call core_tests,build/emulated/gcc,-DCMAKE_CXX_COMPILER=g++)
	$(call core_tests,build/emulated/clang,-DCMAKE_CXX_COMPILER=clang++)
	@for compiler in gcc clang; do for processor in Nehalem $(HASWELL); do for what in replay products; do \
	    echo $$compiler, $${processor%%,*}: $$what; \
	    qemu-x86_64 -cpu $$processor build/emulated/$$compiler/core_tests build/emulated/calls.txt $$what || exit 1; \
	done; done; done
	$(BIN)/pytest -q tests/engines/test_instruction_sets.py

# The core's own tests in a folder, with options.
, := ,
define core_tests
$(BIN)/cmake -S native -B $(1) -G Ninja -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja -DGATEWORK_TESTS=ON $(2) > /dev/null
$(BIN)/cmake --build $(1)
endef

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(NATIVE)

# The package, its native core compiled; once more where a source of it changed, or a Python module moved.
$(READY): $(TOOLS) $(MODULES) $(wildcard native/*.*)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

$(TOOLS): pyproject.toml $(REQUIREMENTS)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement $(REQUIREMENTS)
	touch $(TOOLS)

$(MODULES): FORCE | $(TOOLS)
	@find src -name '*.py' | sort | cmp -s - $@ || find src -name '*.py' | sort > $@

FORCE:

clean:
	rm -rf .venv $(OLDEST) $(SITE) .cache $(PAGE)/node_modules build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
