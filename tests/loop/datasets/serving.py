"""A real HTTP server on 127.0.0.1 that misbehaves on request."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = b"gene,score\n" + b"".join(b"GENE%05d,0.5\n" % i for i in range(40_000))


class Manners(BaseHTTPRequestHandler):
    """Answers by path: /good, /moved, /cut, /missing, /broken, /other, /short, /long, /silent."""

    def do_GET(self):
        self.server.asked.append(self.path)
        getattr(self, "_" + self.path.strip("/"))()

    def _good(self):
        self._answer(200, BODY)

    def _moved(self):
        self.send_response(302)
        self.send_header("Location", "/good")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _cut(self):
        self._answer(200, BODY[: len(BODY) // 2], length=len(BODY))
        self.close_connection = True

    def _missing(self):
        self._answer(404, b"no such thing")

    def _broken(self):
        self._answer(503, b"come back later")

    def _other(self):
        self._answer(200, b"X" + BODY[1:])

    def _short(self):
        self._answer(200, BODY[:-1])

    def _long(self):
        self._answer(200, BODY * 50)

    def _silent(self):
        self.server.patience.wait(30)
        self.close_connection = True

    def _answer(self, status, body, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_):
        pass


@contextmanager
def serving() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Manners)
    server.daemon_threads = False
    server.asked, server.patience = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.patience.set()
        server.shutdown()
        thread.join()
        server.server_close()
