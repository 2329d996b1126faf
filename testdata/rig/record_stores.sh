#!/bin/sh
# Records internal/mlflowdb/testdata/stores: for each requirements-stores-VERSION.txt a store of that MLflow version, and what its
# server answers. Give versions to record only those. Needs Python 3.11.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${TRACEMIG_RIG_DIR:-$(cd "$here/../.." && pwd)/.rig}
[ $# -gt 0 ] || set -- $(ls "$here" | sed -n 's/^requirements-stores-\(.*\)\.txt$/\1/p')

for version; do
	venv=$dir/stores-$version
	python3.11 -m venv --clear "$venv"
	"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements-stores-$version.txt"
	# Alone, for releases whose other packages are not there.
	"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "mlflow==$version"
	"$venv/bin/python" "$here/record_stores.py" --out "$here/../../internal/mlflowdb/testdata/stores"
	rm -rf "$venv"
done
