#!/usr/bin/env bash
# Records docs/session.svg, the terminal session in README.md: tracemig built from this tree, run in a terminal against a synthetic
# experiment on this machine. Needs Go and Python 3; installs the recorder into a folder that it deletes again.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=/tmp/tracemig-session # in the picture
mkdir "$work"
trap 'kill "${server:-}" "${open:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install termtosvg==1.1.0 'setuptools<81'
go build -o "$work/bin/" ./cmd/tracemig ./testdata/record
"$work/bin/record" 127.0.0.1:5000 &
server=$!
export PATH="$work/bin:$PATH" XDG_STATE_HOME="$work/state" MLFLOW_TRACKING_URI=http://127.0.0.1:5000 TERM=xterm-256color
session=$PWD/testdata/record/session.sh
svg=$PWD/docs/session.svg
cd "$work"
# The recorder ends when its input does, so it gets one that stays open.
mkfifo keys
sleep 600 >keys &
open=$!
venv/bin/termtosvg "$svg" -c "sh $session" -g 100x22 -m 400 -M 2500 -D 4000 -t window_frame <keys >/dev/null
ls -l "$svg"
