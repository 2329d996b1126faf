#!/bin/sh
# Finds the programs of PostgreSQL and MariaDB for database.py, and installs the system's packages of what is not there, as
# root with apt-get. Writes into FOLDER, for each engine, the folder of its programs (postgresql, mysql) or why it can't be
# had (postgresql.missing, mysql.missing). Without either of them the tests leave out that engine.
#
#   databases.sh FOLDER
set -eu

mkdir -p "$1"
cd "$1"

# folder_of PROGRAM PATTERN: prints where a program is that every installation of the engine has.
folder_of() {
	found=$(command -v "$1" || ls -d $2 2>/dev/null | sort -V | tail -1) || true
	[ -n "$found" ] && dirname "$(readlink -f "$found")"
}

# install PACKAGE...: without what is only recommended. The packages would start servers of their own.
install() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "it is not on this machine, and is installed by itself only as root with apt-get"
		return 1
	fi
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	{ apt-get -q update || true
		DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@"; } >apt.log 2>&1 || {
		echo "apt-get could not install it: $(tail -1 apt.log)"
		return 1
	}
	# Nor are they to start with the machine.
	command -v systemctl >/dev/null && systemctl disable --quiet postgresql mariadb >/dev/null 2>&1 || true
}

# engine NAME PROGRAM PATTERN PACKAGE...
engine() {
	name=$1 program=$2 pattern=$3
	shift 3
	rm -f "$name" "$name.missing"
	folder_of "$program" "$pattern" >"$name" && return
	if install "$@" >"$name.missing" && folder_of "$program" "$pattern" >"$name"; then
		rm "$name.missing"
	else
		rm -f "$name"
		[ -s "$name.missing" ] || echo "$program is not where it is looked for: $pattern" >"$name.missing"
		echo "databases.sh: no $name: $(cat "$name.missing")" >&2
	fi
}

engine postgresql postgres '/usr/lib/postgresql/*/bin/postgres' postgresql
engine mysql mariadbd '/usr/sbin/mariadbd' mariadb-server
