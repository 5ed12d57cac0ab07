"""What receives events in tests: a real web server, which can be told to fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hook:
    """An address and what came to it. answers: the status; fails: how often it says 503 first."""

    url: str = ""
    answers: int = 200
    fails: int = 0
    asked: int = 0
    taken: list[tuple[Message, bytes]] = field(default_factory=list)


@contextmanager
def receiver(fails: int = 0, port: int = 0) -> Iterator[Hook]:
    """Yield an address on this machine that takes events, until the block ends."""
    hook = Hook(fails=fails)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            body = self.rfile.read(size)
            if len(body) < size:  # the sender was killed
                return
            hook.asked += 1
            status = 503 if hook.asked <= hook.fails else hook.answers
            if status == 200:
                hook.taken.append((self.headers, body))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", "http://127.0.0.2:9/")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/facelign"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
