#!/bin/sh
# A Go server that passes requests to the Go handler in another process, over a gRPC
# stream on a Unix socket.
. "$(dirname "$0")/common.sh"
command -v go >/dev/null || fail "no go command"
# Copies of the module's files: what the rest of the repository needs by now is added to them.
cp "$here/grpc/go.mod" "$here/grpc/go.sum" "$BENCH_DIR"
(cd "$here/grpc" && go build -buildvcs=false -mod=mod -modfile="$BENCH_DIR/go.mod" -o "$BENCH_DIR/grpc" .) >"$BENCH_DIR/go.log" 2>&1 || fail "cannot build: $(tail -n 1 "$BENCH_DIR/go.log")"
run worker "$BENCH_DIR/grpc" worker "$BENCH_DIR/grpc.sock"
worker=$pid
await_file "$BENCH_DIR/grpc.sock"
run front "$BENCH_DIR/grpc" front "$BENCH_DIR/grpc.sock" "127.0.0.1:$port"
echo "grpc=http://127.0.0.1:$port,pid=$pid,worker=$worker"
echo "grpc=h2c://127.0.0.1:$port"
serve
