# What a developer of Callboard runs. "make" alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# What "callboard version" answers; releases set it: make build VERSION=1.2.0
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help
help: ## Say what each target does.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the program into bin/callboard, small and without a C library.
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/callboard .

.PHONY: generate
generate: ## Format the templ files and make Go code of them again.
	go tool templ fmt -log-level warn .
	go tool templ generate -log-level warn

.PHONY: check
check: ## Check everything that needs no running program: generated and third-party files, format, vet, linters, import rules.
	dev/scripts/check-templ.sh
	dev/scripts/check-gofmt.sh
	dev/scripts/check-vendor.sh
	go vet ./...
	dev/scripts/lint.sh
	go test -run '^TestImportRules' .

.PHONY: test
test: ## Run every test with the race detector, on SQLite, PostgreSQL and in Chromium; installs what is missing when it may.
	@dev/scripts/need.sh gcc postgresql chromium
	@dev/scripts/with-postgres.sh

.PHONY: torture
torture: ## Kill the program a thousand times on each database while it works; takes an hour or two.
	@dev/scripts/need.sh postgresql
	@dev/scripts/with-postgres.sh go test -count=1 -timeout 4h -run '^TestKills$$' -v ./e2e/torture -kills 1000

.PHONY: bench
bench: ## Measure speed and memory with up to a million rows.
	@dev/scripts/need.sh wrk postgresql
	@dev/scripts/with-postgres.sh --synced go run ./dev/bench

.PHONY: bench-full
bench-full: ## Measure with ten million rows; needs 20 GB of free disk and a good while.
	@dev/scripts/need.sh wrk postgresql
	@dev/scripts/bench-full.sh

.PHONY: image-test
image-test: ## Build the Dockerfile with buildah on a locally made base and try the image; needs root.
	@dev/scripts/need.sh buildah curl ip
	@dev/scripts/image-test.sh

.PHONY: screenshots
screenshots: ## Take pictures of every page of the demo with Chromium.
	@dev/scripts/need.sh chromium
	go run ./dev/screenshots

.PHONY: tools
tools: ## Build the linters ahead of their first use (about a minute, once).
	go tool -modfile=dev/tools/go.mod golangci-lint version
