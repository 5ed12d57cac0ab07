"""Cameras that tests start: an RTSP server in a process of its own, and one of JPEGs by HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np

from made_films import BITS, number_of
from video_parts import SYSTEM_PYTHON

SERVER = Path(__file__).with_name("rtsp_server.py")


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
        return port


def age_s(picture: np.ndarray) -> float:
    """Return how long ago a picture of the RTSP server was taken."""
    passed = time.monotonic_ns() // 1_000_000 - number_of(picture)
    return passed % (1 << BITS) / 1000


class RtspCamera:
    """A real RTSP server whose pictures tell when they were taken; it can be frozen and killed."""

    def __init__(self, port: int, *words: str) -> None:
        command = [SYSTEM_PYTHON, str(SERVER), "--port", str(port), *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        self.url = f"rtsp://127.0.0.1:{port}/camera"

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def rtsp_camera(*words: str, port: int | None = None) -> Iterator[RtspCamera]:
    camera = RtspCamera(port or free_port(), *words)
    try:
        yield camera
    finally:
        camera.kill()


class JpegCamera:
    """JPEGs by HTTP (multipart/x-mixed-replace): the picture that a function gives, at its rate.

    silent: while it is set, connections are held and nothing is sent.
    """

    def __init__(self, picture: Callable[[int], np.ndarray], fps: float = 25) -> None:
        self.picture, self.fps, self.silent = picture, fps, threading.Event()
        self._over = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
                self.end_headers()
                number = 0
                with contextlib.suppress(OSError):
                    while not camera._over.wait(1 / camera.fps):
                        if camera.silent.is_set():
                            continue
                        data = jpeg(camera.picture(number))
                        head = (
                            f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}"
                        )
                        self.wfile.write(head.encode() + b"\r\n\r\n" + data + b"\r\n")
                        number += 1

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/video"

    def __enter__(self) -> JpegCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def jpeg(picture: np.ndarray) -> bytes:
    """Return (h, w, 3) uint8 RGB as JPEG."""
    return cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
