# make run         installs what is missing, builds the golden image once, serves on port 4000
# make test        every test, from a machine where nothing was installed by hand
# make test-quick  lint, types, and every test that starts no machine, no browser and no network
# make test-vm     the tests that start virtual machines, under emulation where KVM is missing
# make check       the quickest part: lint, strict types, import contract, rules of the tree
STATE ?=
PORT ?= 4000
JSON ?=
PYTEST_ARGS ?=
bin := .venv/bin

.PHONY: run test test-beside test-alone test-host test-vm test-quick test-clones check image pictures lock clean bench-forwarder bench-stream bench-links sweep-links soak trouble

run:
	@scripts/setup run
	@exec $(bin)/transom serve --port $(PORT) $(if $(STATE),--state $(STATE)) $(if $(JSON),--json)

check:
	@scripts/setup check
	$(bin)/ruff check src tests scripts
	$(bin)/ruff format --check src tests scripts
	$(bin)/mypy
	@# the scripts find one another as they do when run; what they take of the tests' support is not typed
	cd scripts && MYPYPATH=../src:.. ../$(bin)/mypy --config-file ../pyproject.toml --explicit-package-bases --no-warn-return-any *.py bench
	$(bin)/lint-imports
	$(bin)/python -m pytest tests/style -p no:cacheprovider

# What runs with nothing beside it; everything else runs in WORKERS processes, all tests of a file in one.
ALONE := machine or browser or vm or alone
WORKERS ?= 2
BESIDE := -n $(WORKERS) --dist loadfile -m "not ($(ALONE))"

test-quick: check
	$(bin)/python -m pytest $(BESIDE) -m "not ($(ALONE) or page)" $(PYTEST_ARGS)

test: test-beside test-alone

# The two halves of `test`.
test-beside:
	@scripts/setup test
	$(bin)/python -m pytest $(BESIDE) $(PYTEST_ARGS)

test-alone:
	@scripts/setup test
	$(bin)/python -m pytest -m "$(ALONE)" $(PYTEST_ARGS)

# `test` in other halves: everyday, and virtual machines, which under emulation take their time.
test-host: test-beside
	$(bin)/python -m pytest -m "($(ALONE)) and not vm" $(PYTEST_ARGS)

test-vm:
	@scripts/setup test
	$(bin)/python -m pytest -m vm $(PYTEST_ARGS)

# A hundred clones of each virtual machine, of which `test` makes a few.
CLONES ?= 100
test-clones:
	@scripts/setup test
	TRANSOM_TEST_CLONES=$(CLONES) $(bin)/python -m pytest tests/contract -k clones_have -s $(PYTEST_ARGS)

image:
	@scripts/setup run

# Needs a running server: TRANSOM_TOKEN=... make pictures URL=http://127.0.0.1:4000
pictures:
	$(bin)/python scripts/screenshots.py --url $(or $(URL),http://127.0.0.1:4000)

# The forwarder beside tinyproxy, haproxy and a direct connection; needs root and those two.
bench-forwarder:
	$(bin)/python scripts/bench_forwarder.py

# The stream beside noVNC and Selkies, which go into an environment of their own; about ten minutes, on a quiet host.
# More in pieces: BENCH_ARGS="--keys 40 --loads 0 --add".
N ?= 100
BENCH_ARGS ?=
bench-stream:
	@scripts/setup test
	@[ -x build/bench/peers/bin/selkies ] || { $(bin)/python -m venv build/bench/peers && build/bench/peers/bin/pip install -q -r scripts/bench/requirements.txt; }
	$(bin)/python scripts/bench_stream.py --keys $(N) $(BENCH_ARGS)

# The stream on links of 300 kbit/s to 5 Mbit/s, with delay, loss, bursts and a drop; about ten minutes, on a quiet host, as root.
# In pieces: LINKS_ARGS="--cells 300 --add".
LINKS_ARGS ?=
bench-links:
	@scripts/setup test
	$(bin)/python scripts/bench_links.py $(LINKS_ARGS)

# Rate control over many simulated links, in many orders: no session, no network. Half a minute of two processors a seed.
sweep-links:
	@scripts/setup test
	$(bin)/python scripts/sweep_links.py --seeds $(or $(SEEDS),6)

# Hours in short: latency, descriptors, threads and memory of one session, and of 200 viewers that come and go.
MINUTES ?= 60
soak:
	@scripts/setup test
	$(bin)/python scripts/soak.py --minutes $(MINUTES)

# How long a picture stands still when its way is cut, its stream server killed, its page frozen: the tests of it, RUNS times.
RUNS ?= 5
trouble:
	@scripts/setup test
	@for run in $$(seq $(RUNS)); do $(bin)/python -m pytest tests/e2e/test_ladder.py -k "udp_is_cut or server_crashes or page_is_frozen" -v -rP -p no:cacheprovider | grep -E "^_+ test|stood for|passed|failed" || exit 1; done

lock:
	uv pip compile --no-header --no-emit-index-url --no-annotate --generate-hashes --universal --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile --no-header --no-emit-index-url --no-annotate --generate-hashes --universal --python-version 3.11 --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv build web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
