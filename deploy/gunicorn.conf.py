"""How the application server runs: threads, a graceful stop, and a log that names nobody."""

import gc
import json
import logging
import os

from gunicorn.glogging import Logger


class JsonLines(logging.Formatter):
    """LOG_FORMAT=json: each line an object, like those of the application."""

    def format(self, record):
        """The sentence alone; a traceback would tell what was being handled."""
        level, words = record.levelname.lower(), record.getMessage()
        return json.dumps({"event": "server", "level": level, "words": words}, ensure_ascii=False)


class QuietLogger(Logger):
    """Starts and stops are logged; requests and what was wrong with them are not.

    gunicorn prints the address even with the access log off ("Invalid request from ip="), and
    the URL of a request that failed.
    """

    def setup(self, cfg):
        """As usual, in the form that LOG_FORMAT asks for."""
        super().setup(cfg)
        if os.environ.get("LOG_FORMAT") == "json":
            for handler in self.error_log.handlers:
                handler.setFormatter(JsonLines())

    def access(self, *args, **kwargs):
        """No access log."""

    def warning(self, msg, *args, **kwargs):
        super().warning("a request was not understood, or a worker was slow")

    def error(self, msg, *args, **kwargs):
        super().error("a fault in the application server")

    def exception(self, msg, *args, **kwargs):
        super().error("a fault while handling a request")

    def debug(self, msg, *args, **kwargs):
        """Nothing below information."""


bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
workers = int(os.environ.get("WEB_PROCESSES") or 2)
threads = 16  # a looked-up receipt waits for its tenth of a second in one
worker_class = "gthread"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 (no upload lands there)
graceful_timeout = 20
timeout = 60
keepalive = 5
max_requests = 20000
max_requests_jitter = 2000
accesslog = None
errorlog = "-"
loglevel = "warning"
logger_class = QuietLogger
proc_name = "yanlu"
# The application is loaded once and shared: dictionaries and fonts of 150 MB are in memory once,
# and a worker that is replaced costs a fork. A new version needs a restart, not a reload.
preload_app = True
control_socket_disable = True


def when_ready(_server):
    """Keep what all workers share out of the collector's way, or each would copy it by and by."""
    gc.collect()
    gc.freeze()
