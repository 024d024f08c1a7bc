# make check   the fast inner loop: format, lints, unit tests
# make test    everything, as CI runs it
# make crash-test   only the part that kills runs and recoveries at every step
# make soak    two million requests through the fault proxy while toxics and rules come and go (`make test` makes 4,000)
# make clean   takes away what the others made

CARGO ?= cargo
PYTHON ?= python3

# Left to right, also with -j: what fails soonest comes first, and cargo uses every core by itself.
.NOTPARALLEL:
.PHONY: check chromium clean crash-test docs lint node-peers soak test unit

test: lint docs .venv/installed chromium node-peers
	GAMEDAY_TEST_PYTHON="$(CURDIR)/.venv/bin/python" GAMEDAY_TEST_NODE="$(NODE_WITH_PEERS)" $(CARGO) test --locked
	$(MAKE) crash-test

# Runs and recoveries killed at every step, writes that fail, tasks that panic; it prints how many of each.
crash-test: .venv/installed
	GAMEDAY_TEST_PYTHON="$(CURDIR)/.venv/bin/python" $(CARGO) test --locked --test it crash:: -- --ignored --test-threads 1

soak:
	GAMEDAY_SOAK_REQUESTS=2000000 $(CARGO) test --locked --release --test it proxy_soak::

check: lint unit

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

unit:
	$(CARGO) test --locked --lib

# Only what is checked by clippy already is read again, so that this is quick.
docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

# The peers of the tests. Debian keeps the part of Python that makes such a folder in a package of its own.
.venv/installed: tests/requirements.txt
	rm -rf .venv
	$(PYTHON) -m venv .venv || { rm -rf .venv; $(call apt_install,python3-venv) && $(PYTHON) -m venv .venv; }
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	touch $@

# The peers of the tests in Node, at the versions of their lock file; left out, and said so, where there is no npm.
NODE_PEERS = tests/peers/node
NODE_WITH_PEERS = $(shell test -d $(NODE_PEERS)/node_modules && command -v node)
node-peers:
	@if command -v node > /dev/null && command -v npm > /dev/null; then \
		test $(NODE_PEERS)/node_modules -nt $(NODE_PEERS)/package-lock.json \
		|| { timeout 300 npm ci --prefix $(NODE_PEERS) --ignore-scripts --no-audit --no-fund --loglevel error \
			&& touch $(NODE_PEERS)/node_modules; } \
		|| { rm -rf $(NODE_PEERS)/node_modules; \
			echo "skipped: npm can not install the peers in Node: a client of Toxiproxy, and what drives a browser" >&2; }; \
	else echo "skipped: there is no npm, so that no client in Node drives the fault proxy, and none a browser" >&2; fi

# A browser to look at reports with; the tests that use it say so when it is missing.
chromium:
	@command -v chromium > /dev/null || $(call apt_install,chromium) || echo "skipped: there is no chromium" >&2

clean:
	$(CARGO) clean
	rm -rf .venv $(NODE_PEERS)/node_modules

# Installs a package where that is possible without asking anybody: on Debian, as root.
apt_install = { test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
	&& apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends $(1) \
	|| { echo "this needs the package $(1): apt-get install $(1)" >&2; false; }; }
