#!/bin/sh
# gunicorn with threads, and the WSGI application.
. "$(dirname "$0")/common.sh"
need_python gunicorn
cd "$BENCH_DIR" || exit
run gunicorn "$python" -m gunicorn -k gthread --threads 16 --workers "$BENCH_PROCESSES" --keep-alive 60 --worker-connections 4096 \
    --bind "127.0.0.1:$port" --log-level error bench_app:wsgi
echo "gunicorn=http://127.0.0.1:$port,worker=$pid"
serve
