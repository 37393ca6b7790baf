"""How the shop runs."""
import multiprocessing
import os

bind = ["127.0.0.1:9100",  # for the balancer
        'unix:/run/shop.sock']
workers = multiprocessing.cpu_count() * 2 + 1
worker_class = "gthread"
threads = 8
wsgi_app = "shop.wsgi:create()"
timeout = 45
graceful_timeout = 20
keepalive = 5
max_requests = 2_000
max_requests_jitter = 100
chdir = ("DIR"
         "/app")
raw_env = ["STAGE=live", "NAME=a=b"]
pythonpath = "lib,DIR/more"
user = "root"
group = None
forwarded_allow_ips = "10.0.0.1, 10.0.0.2"
limit_request_line = 8190
limit_request_fields = 64
loglevel = "warning"
accesslog = "-"
errorlog = "-"
preload_app = True
daemon = False
secret = os.environ["SECRET"]
access_log_format = '%(h)s "%(r)s"'
name = f"shop-{os.getpid()}"

def post_fork(server, worker):
    threads = 99
    server.log.info("forked")
