#!/bin/sh
# nginx in front of the Go handler, which listens on a Unix socket.
. "$(dirname "$0")/common.sh"
need nginx nginx-light
upstream
certificate
user=
[ "$(id -u)" != 0 ] || user='user root;' # for the socket, which is ours
cat >"$BENCH_DIR/nginx.conf" <<END
$user
worker_processes auto;
pid $BENCH_DIR/nginx.pid;
error_log $BENCH_DIR/error.log;
events { worker_connections 4096; }
http {
    access_log off;
    client_max_body_size 0;
    client_body_temp_path $BENCH_DIR/body;
    proxy_temp_path $BENCH_DIR/proxy;
    fastcgi_temp_path $BENCH_DIR/fastcgi;
    uwsgi_temp_path $BENCH_DIR/uwsgi;
    scgi_temp_path $BENCH_DIR/scgi;
    keepalive_requests 100000000;
    upstream app {
        server unix:$BENCH_DIR/up.sock;
        keepalive 512;
        keepalive_requests 100000000;
    }
    server {
        listen 127.0.0.1:$port;
        listen 127.0.0.1:$secure_port ssl http2;
        ssl_certificate $BENCH_DIR/cert.pem;
        ssl_certificate_key $BENCH_DIR/key.pem;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_buffering on;
            proxy_max_temp_file_size 0;
            proxy_buffer_size 64k;
            proxy_buffers 8 64k;
        }
    }
}
END
run nginx nginx -e "$BENCH_DIR/error.log" -c "$BENCH_DIR/nginx.conf" -g 'daemon off;'
echo "nginx=http://127.0.0.1:$port,pid=$pid,worker=$upstream_pid"
echo "nginx=https://127.0.0.1:$secure_port"
serve
