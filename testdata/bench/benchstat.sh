#!/usr/bin/env bash
# Compares the Go benchmarks of the given packages in the work tree with those of main, and fails where one of them is more
# than 10 % slower or allocates more than 10 % more, in medians, and benchstat takes the difference to be no chance (p < 0.05).
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=10
dir=$(mktemp -d)
trap 'git worktree remove --force "$dir/main"; rm -rf "$dir"' EXIT
git worktree add --quiet --detach "$dir/main" main
ln -s "$PWD" "$dir/tree"
for side in main tree; do
	(cd "$dir/$side" && go test -c -o "$dir/$side.tests/" "$@")
done
# The sides take turns, so that a machine that becomes slower or faster does so for both.
for round in $(seq $rounds); do
	for side in main tree; do
		for package in "$@"; do
			test -x "$dir/$side.tests/${package##*/}.test" || continue
			(cd "$dir/$side/$package" && "$dir/$side.tests/${package##*/}.test" -test.run - -test.bench . -test.benchmem -test.benchtime 0.3s) >> "$dir/$side.txt"
		done
	done
	echo "round $round of $rounds" >&2
done
benchstat() {
	go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da "$@" main="$dir/main.txt" tree="$dir/tree.txt"
}
benchstat
# A row of the CSV is: benchmark, main's median, its range, the tree's median, its range, difference, p. The difference is ~
# where it may be chance, and ? where main's median is 0. A row without a benchmark names the unit of those below it.
benchstat -format csv 2>/dev/null | awk -F, '
	/^pkg: / { package = substr($0, 6) }
	$1 == "" && $2 ~ "/" { unit = $2 }
	unit ~ "/op$" && $1 != "geomean" && ($6 == "?" || $6 ~ /^\+/ && $6 + 0 > 10) {
		print package ": Benchmark" $1 " has " $4 " " unit ", main " $2 " (" $6 ", " $7 "); up to 10% more is accepted"
		worse = 1
	}
	END { exit worse }' >&2
