# The binary is static: it needs nothing of the machine it runs on. A first build compiles everything,
# so it is spared what nobody gets to see: debug information that the linker strips, garbage
# collection of the compiler, and inlining in Arrow's compute kernels, which its Parquet package
# imports and tracemig never calls.
KERNELS = github.com/apache/arrow-go/v18/arrow/compute/internal/kernels
build:
	GOGC=400 CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" \
		-gcflags=all=-dwarf=false -gcflags="$(KERNELS)=-dwarf=false -l" -o bin/ ./cmd/tracemig

# A first look, with Go alone: migrates a recorded sample experiment into local Delta tables in lake/.
demo: build
	bin/tracemig demo lake

# What the tests with the build tag rig need beside Go: Python and Java packages, in .rig.
rig:
	testdata/rig/install.sh

# Tests that need Go alone.
test-short:
	go vet ./...
	go test -race -short ./...

# All tests: MLflow servers and Spark run on this machine.
test: rig
	go vet -tags rig ./...
	go test -race -tags rig -timeout 25m ./...

clean:
	rm -rf bin lake

.PHONY: build demo rig test-short test clean
