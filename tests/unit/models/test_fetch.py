"""Downloads against a real server on loopback that misbehaves on demand."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facelign.errors import DownloadFailed
from facelign.models.weights.fetch import Patience, RemoteFile, fetch
from facelign.models.weights.progress import Progress

DATA = bytes(range(256)) * 4096  # 1 MiB
SHA = hashlib.sha256(DATA).hexdigest()
QUICK = Patience(attempts=3, pause_s=0.01, longest_pause_s=0.02, timeout_s=5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, str | None]] = []
        self.failures = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:  # noqa: C901 - one case a line
        asked = self.headers.get("Range")
        self.server.seen.append((self.path, asked))
        name = self.path.rsplit("/", 1)[-1]
        start = int(asked.split("=")[1].rstrip("-")) if asked else 0
        if name == "missing":
            self.send_error(404)
        elif name == "busy" and self.server.failures > 0:
            self.server.failures -= 1
            self.send_error(503)
        elif name == "moved":
            self._redirect("/good")
        elif name == "elsewhere":
            self._redirect("ftp://127.0.0.1/good")
        elif name == "loop":
            self._redirect("/loop")
        elif name == "corrupt":
            self._send(b"x" + DATA[1:], start, ranges=False)
        elif name == "larger":
            self._send(DATA + b"more", start, ranges=False)
        elif name == "noranges":
            self._send(DATA, start, ranges=False)
        elif name == "breaking" and self.server.failures > 0:
            self.server.failures -= 1
            self._send(DATA, start, ranges=True, cut=200_000)
        elif name == "lying" and asked:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes 5-{len(DATA) - 1}/{len(DATA)}")
            self.send_header("Content-Length", str(len(DATA) - 5))
            self.end_headers()
            self.wfile.write(DATA[5:])
        else:
            self._send(DATA, start, ranges=True)

    def _redirect(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, data: bytes, start: int, *, ranges: bool, cut: int = 0) -> None:
        start = start if ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start : start + cut] if cut else data[start:])
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[_Server]:
    running = _Server()
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def _wanted(server: _Server, name: str, size: int = len(DATA)) -> RemoteFile:
    return RemoteFile(f"{server.base}/{name}", SHA, size, "file.onnx", plain_http=True)


def test_a_file_arrives_with_progress(server: _Server, tmp_path: Path) -> None:
    steps: list[Progress] = []
    fetch(_wanted(server, "good"), tmp_path / "p", on_progress=steps.append, patience=QUICK)
    assert (tmp_path / "p").read_bytes() == DATA
    assert steps[-1].done == steps[-1].total == len(DATA)
    assert steps[-1].rate > 0


def test_redirects_are_followed(server: _Server, tmp_path: Path) -> None:
    fetch(_wanted(server, "moved"), tmp_path / "p", patience=QUICK)
    assert (tmp_path / "p").read_bytes() == DATA


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "404"),
        ("elsewhere", "not an https address"),
        ("loop", "too many redirects"),
        ("corrupt", "SHA-256"),
        ("larger", "more than"),
    ],
)
def test_what_is_not_the_file_is_refused_and_not_kept(
    server: _Server, tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(DownloadFailed, match=said) as caught:
        fetch(_wanted(server, name), tmp_path / "p", patience=QUICK)
    assert caught.value.hint
    assert not (tmp_path / "p").exists()
    assert len(server.seen) <= 10


def test_a_broken_download_goes_on_where_it_stopped(server: _Server, tmp_path: Path) -> None:
    server.failures = 4  # more than the attempts allowed without progress: each brings bytes
    fetch(_wanted(server, "breaking"), tmp_path / "p", patience=QUICK)
    assert (tmp_path / "p").read_bytes() == DATA
    assert [asked for _, asked in server.seen] == [
        None,
        *(f"bytes={200_000 * n}-" for n in range(1, 5)),
    ]


def test_an_earlier_part_is_used(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(DATA[:1000])
    fetch(_wanted(server, "good"), tmp_path / "p", patience=QUICK)
    assert (tmp_path / "p").read_bytes() == DATA
    assert server.seen == [("/good", "bytes=1000-")]


def test_a_whole_earlier_part_costs_no_request(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(DATA)
    fetch(_wanted(server, "good"), tmp_path / "p", patience=QUICK)
    assert server.seen == []


@pytest.mark.parametrize("name", ["noranges", "lying"])
def test_servers_without_honest_ranges_send_the_whole(
    server: _Server, tmp_path: Path, name: str
) -> None:
    (tmp_path / "p").write_bytes(DATA[:1000])
    fetch(_wanted(server, name), tmp_path / "p", patience=QUICK)
    assert (tmp_path / "p").read_bytes() == DATA


def test_a_spoiled_part_is_noticed_and_dropped(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"spoiled" * 100)
    with pytest.raises(DownloadFailed, match="SHA-256"):
        fetch(_wanted(server, "good"), tmp_path / "p", patience=QUICK)
    fetch(_wanted(server, "good"), tmp_path / "p", patience=QUICK)
    assert (tmp_path / "p").read_bytes() == DATA


def test_busy_servers_are_asked_again(server: _Server, tmp_path: Path) -> None:
    server.failures = 2
    notes: list[Progress] = []
    fetch(_wanted(server, "busy"), tmp_path / "p", on_progress=notes.append, patience=QUICK)
    assert sum(step.step == "note" and "503" in step.text for step in notes) == 2


def test_patience_ends(server: _Server, tmp_path: Path) -> None:
    server.failures = 99
    with pytest.raises(DownloadFailed, match="503"):
        fetch(_wanted(server, "busy"), tmp_path / "p", patience=QUICK)
    assert len(server.seen) == QUICK.attempts


def test_nobody_at_the_address(tmp_path: Path) -> None:
    wanted = RemoteFile("http://127.0.0.1:9/x", SHA, len(DATA), "x", plain_http=True)
    with pytest.raises(DownloadFailed) as caught:
        fetch(wanted, tmp_path / "p", patience=QUICK)
    assert "goes on where it stopped" in caught.value.hint


def test_plain_http_is_refused_for_sources(server: _Server, tmp_path: Path) -> None:
    wanted = RemoteFile(f"{server.base}/good", SHA, len(DATA), "x")
    with pytest.raises(DownloadFailed, match="https"):
        fetch(wanted, tmp_path / "p", patience=QUICK)
    assert server.seen == []
