#!/bin/sh
# HAProxy in front of the Go handler, which listens on a Unix socket.
. "$(dirname "$0")/common.sh"
need haproxy haproxy
upstream
certificate
cat "$BENCH_DIR/cert.pem" "$BENCH_DIR/key.pem" >"$BENCH_DIR/both.pem"
cat >"$BENCH_DIR/haproxy.cfg" <<END
global
    maxconn 4096
    tune.bufsize 65536
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    http-reuse always
    option http-no-delay
frontend clear
    bind 127.0.0.1:$port
    default_backend app
frontend secure
    bind 127.0.0.1:$secure_port ssl crt $BENCH_DIR/both.pem alpn h2,http/1.1
    default_backend app
frontend h2c
    bind 127.0.0.1:$other_port proto h2
    default_backend app
backend app
    server app unix@$BENCH_DIR/up.sock
END
run haproxy haproxy -db -f "$BENCH_DIR/haproxy.cfg"
echo "haproxy=http://127.0.0.1:$port,pid=$pid,worker=$upstream_pid"
echo "haproxy=https://127.0.0.1:$secure_port"
echo "haproxy=h2c://127.0.0.1:$other_port"
serve
