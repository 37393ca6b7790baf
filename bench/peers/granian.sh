#!/bin/sh
# Granian with the ASGI and the WSGI application.
. "$(dirname "$0")/common.sh"
need_python granian uvloop
cd "$BENCH_DIR" || exit
for interface in asgi wsgi; do
    run granian-$interface "$python" -m granian --interface $interface --workers "$BENCH_PROCESSES" --host 127.0.0.1 --port "$port" --backpressure 256 \
        --no-access-log --log-level error "bench_app:$interface"
    echo "granian-$interface=http://127.0.0.1:$port,worker=$pid"
    port=$secure_port
done
serve
