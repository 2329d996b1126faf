# What is recorded: commands as somebody types them, and what they really say. record.sh runs it in a terminal.
type_and_run() {
	printf '\033[32m$\033[0m '
	rest=$1
	while [ -n "$rest" ]; do
		printf '%s' "${rest%"${rest#?}"}"
		rest=${rest#?}
		sleep 0.02
	done
	sleep 0.4
	printf '\n'
	eval "$1"
	sleep 2.5
	printf '\n'
}
type_and_run 'tracemig run --source /synthetic --target file:lake/agent'
clear
type_and_run 'tracemig verify --deep --source /synthetic --target file:lake/agent'
