#!/bin/sh
# Puts what the rig-tagged tests need beside Go into .rig (or $TRACEMIG_RIG_DIR): a Python venv, the
# Delta jars, and where PostgreSQL and MariaDB are. Needs Python 3.11, Java 17 and Maven. What is
# already there for the same requirements.txt, pom.xml and databases.sh is left alone, so a second
# call costs nothing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${TRACEMIG_RIG_DIR:-$(cd "$here/../.." && pwd)/.rig}
mkdir -p "$dir"

python=${PYTHON:-}
if [ -z "$python" ]; then
	python=$(command -v python3.11 || command -v python3) || {
		echo "install.sh: no python3 on PATH. Install Python 3.11 or name it in PYTHON." >&2
		exit 1
	}
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
	echo "install.sh: $python is older than Python 3.11. Name a newer one in PYTHON." >&2
	exit 1
}
command -v java >/dev/null || { echo "install.sh: no java on PATH. Install Java 17." >&2; exit 1; }
command -v mvn >/dev/null || { echo "install.sh: no mvn on PATH. Install Maven." >&2; exit 1; }

# sum prints a key for a file's content; cksum is everywhere, sha256sum is not.
sum() { cksum <"$1" | tr ' ' '-'; }

# done_for NAME FILE: whether part NAME was installed for this content of FILE.
done_for() { [ "$(cat "$dir/$1.stamp" 2>/dev/null)" = "$(sum "$2")" ]; }

# Two test runs may call this at once: mkdir is the lock that works everywhere.
until mkdir "$dir/lock" 2>/dev/null; do
	if ! kill -0 "$(cat "$dir/lock/pid" 2>/dev/null || echo $$)" 2>/dev/null; then
		rm -rf "$dir/lock" # left by a killed run
		continue
	fi
	sleep 1
done
echo $$ >"$dir/lock/pid"
trap 'rm -rf "$dir/lock"' EXIT
trap 'exit 130' INT TERM

if ! done_for venv "$here/requirements.txt"; then
	rm -f "$dir/venv.stamp"
	# An environment that is there is brought up to date in place: a test may be running in it.
	"$dir/venv/bin/python" -c '' 2>/dev/null || "$python" -m venv --clear "$dir/venv"
	"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
	sum "$here/requirements.txt" >"$dir/venv.stamp"
fi

if ! done_for jars "$here/pom.xml"; then
	rm -rf "$dir/jars" "$dir/jars.stamp"
	mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$dir/jars"
	sum "$here/pom.xml" >"$dir/jars.stamp"
fi

if ! done_for databases "$here/databases.sh"; then
	"$here/databases.sh" "$dir/databases"
	sum "$here/databases.sh" >"$dir/databases.stamp"
fi
