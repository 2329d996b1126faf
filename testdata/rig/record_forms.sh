#!/bin/sh
# Records testdata/forms: a current MLflow server, and one SDK after another that writes to it. Needs `make rig` first.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${TRACEMIG_RIG_DIR:-$(cd "$here/../.." && pwd)/.rig}
work=$(mktemp -d)
trap 'exec 3>&- || true; rm -rf "$work"' EXIT

# The server ends with its standard input, which is a pipe held open here.
mkfifo "$work/stdin" "$work/ready"
"$dir/venv/bin/python" "$here/mlflow_server.py" "$work" <"$work/stdin" >"$work/ready" 2>"$work/log" &
exec 3>"$work/stdin"
read -r _ uri <"$work/ready"

"$dir/venv/bin/python" "$here/record_forms.py" current --uri "$uri" --out "$here/../forms"
for requirements in "$here"/requirements-forms-*.txt; do
	version=${requirements##*requirements-forms-}
	version=${version%.txt}
	venv=$dir/forms-$version
	if [ ! -d "$venv" ]; then
		"$dir/venv/bin/python" -m venv "$venv"
		"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
	fi
	"$venv/bin/python" "$here/record_forms.py" "$version" --uri "$uri" --out "$here/../forms"
done
