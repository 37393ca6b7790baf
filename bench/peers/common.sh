# shellcheck shell=sh disable=SC2034 # the scripts that read it use what it sets
# Functions that the scripts share. See README.md.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/../.." && pwd)/build
# shellcheck disable=SC2086 # the ports are words
set -- $BENCH_PORTS
port=$1 secure_port=$2 other_port=$3

fail() {
    echo "$*" >&2
    exit 1
}

# need PROGRAM PACKAGE: installs a Debian package unless the program is there.
need() {
    command -v "$1" >/dev/null && return
    apt-get install -y -q "$2" >"$BENCH_DIR/apt.log" 2>&1 || fail "cannot install $2: $(tail -n 1 "$BENCH_DIR/apt.log")"
}

# need_python REQUIREMENT...: makes $python an interpreter that has these.
need_python() {
    venv=$build/venv-peers-$("$BENCH_PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    python=$venv/bin/python
    [ -x "$python" ] || "$BENCH_PYTHON" -m venv "$venv" >"$BENCH_DIR/pip.log" 2>&1 || fail "cannot make an environment: $(tail -n 1 "$BENCH_DIR/pip.log")"
    "$python" -m pip install -q --disable-pip-version-check "$@" >"$BENCH_DIR/pip.log" 2>&1 || fail "cannot install $*: $(tail -n 1 "$BENCH_DIR/pip.log")"
}

# The processes that we started: they end before we do.
pids=
trap 'kill $pids 2>/dev/null || true; wait' EXIT
trap 'exit 1' TERM INT

# run NAME COMMAND...: starts a command, sets $pid to its process, and sends its output to
# $BENCH_DIR/NAME.log.
run() {
    log=$BENCH_DIR/$1.log
    shift
    "$@" >"$log" 2>&1 <"$BENCH_DIR/life" &
    pid=$!
    pids="$pids $pid"
}

# The standard input of the processes that we start ends when ours does.
mkfifo "$BENCH_DIR/life"
exec 9<>"$BENCH_DIR/life"

# upstream: starts the Go handler on $BENCH_DIR/up.sock; its process is $upstream_pid.
upstream() {
    run upstream "$BENCH_PROGRAM" role handler --listen "unix:$BENCH_DIR/up.sock"
    upstream_pid=$pid
    await_file "$BENCH_DIR/up.sock"
}

await_file() {
    for _ in $(seq 200); do
        [ -e "$1" ] && return
        sleep 0.05
    done
    fail "no $1: $(tail -n 1 "$BENCH_DIR"/*.log)"
}

# certificate: makes $BENCH_DIR/cert.pem and key.pem.
certificate() {
    need openssl openssl
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -keyout "$BENCH_DIR/key.pem" -out "$BENCH_DIR/cert.pem" 2>"$BENCH_DIR/openssl.log" || fail "openssl: $(tail -n 1 "$BENCH_DIR/openssl.log")"
}

# serve: says that all is ready, and waits until our standard input ends.
serve() {
    echo ready
    cat >/dev/null
}
