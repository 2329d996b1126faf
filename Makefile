# The binary is static: it needs nothing of the machine it runs on.
build:
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

# What the tests with the build tag rig need beside Go: Python and Java packages, in .rig.
rig:
	testdata/rig/install.sh

# Tests that need Go alone.
test-short:
	go vet ./...
	go test -race ./...

# All tests: MLflow servers and Spark run on this machine.
test: rig
	go vet -tags rig ./...
	go test -race -tags rig -timeout 25m ./...

clean:
	rm -rf bin

.PHONY: build rig test-short test clean
