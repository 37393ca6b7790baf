# Needs Go 1.25 or later, and a C compiler for the race detector. An older Go that
# knows toolchains fetches the right one by itself.
export GOTOOLCHAIN ?= auto

GO ?= go
# Without the version control stamp: it fails in a clone that belongs to another user.
BUILD := $(GO) build -buildvcs=false

# What counts allocations, which the race detector changes, so that it is tested
# without it, too.
PLAIN := ./shm/... ./proto/...

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: need-go ## Build the program into ./build
	@mkdir -p build
	CGO_ENABLED=0 $(BUILD) -o build/ ./cmd/upload-response

# The examples of the C SDK that the demo runs.
C_DEMO := --add /c/echo=./build/c/echo --add /c/digest=./build/c/digest --add /c/discard=./build/c/discard \
  --add /c/event_loop=./build/c/event_loop --add "/c/send_file=./build/c/send_file --file README.md"

.PHONY: build-c
build-c: need-cc ## Build the C SDK and its examples into ./build/c
	@$(MAKE) --no-print-directory -C sdk/c BUILD=$(CURDIR)/build/c all

.PHONY: run
run: build build-c ## Start the demo: a server with workers, on 127.0.0.1:8080
	@./build/upload-response demo $(C_DEMO)

.PHONY: test
test: check race ## Run everything that the CI runs

.PHONY: check
check: need-go ## Check the format, vet, and test what the race detector would change
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted (make fmt):" $$unformatted; exit 1; }
	$(GO) vet ./...
	$(GO) test $(PLAIN)

.PHONY: race
race: need-go need-cc ## Test everything under the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

.PHONY: test-c
test-c: need-go need-cc ## Test the C SDK, alone and against a server
	$(MAKE) -C sdk/c test
	$(GO) test -tags csdk ./tests/csdk

.PHONY: test-acme
test-acme: need-go ## Test certificates from an authority, which is built from source
	$(GO) test -tags acme -run Authority ./cmd/upload-response

.PHONY: bench
bench: need-go ## Measure exchanges between real processes, beside their limits
	$(GO) test -run '^$$' -bench . -benchtime 1x ./tests/bench

.PHONY: bench-parts
bench-parts: need-go ## Run the micro-benchmarks of the packages
	$(GO) test -run '^$$' -bench . -benchmem ./shm ./proto

.PHONY: fmt
fmt: need-go ## Format the code
	gofmt -l -w .

.PHONY: clean
clean: ## Remove what was built
	rm -rf build

.PHONY: need-go
need-go:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install version 1.25 or later from https://go.dev/dl/" >&2; exit 1; }

.PHONY: need-cc
need-cc:
	@command -v "$$($(GO) env CC)" >/dev/null || { echo "a C compiler is missing, the race detector needs one: apt install gcc libc6-dev" >&2; exit 1; }
