#!/bin/sh
# uvicorn, with what makes it fast, and the ASGI application.
. "$(dirname "$0")/common.sh"
need_python uvicorn uvloop httptools
cd "$BENCH_DIR" || exit
run uvicorn "$python" -m uvicorn --loop uvloop --http httptools --workers "$BENCH_PROCESSES" --host 127.0.0.1 --port "$port" --timeout-keep-alive 60 \
    --no-access-log --log-level error bench_app:asgi
echo "uvicorn=http://127.0.0.1:$port,worker=$pid"
serve
