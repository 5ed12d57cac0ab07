"""Downloads against a real server on loopback that misbehaves on demand."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facelign.errors import DownloadFailed
from facelign.models.weights.arrive import Arrivals
from facelign.models.weights.fetch import Patience, RemoteFile, fetch
from facelign.models.weights.progress import Progress, silent
from facelign.types.specs import Source, WeightFile

DATA = bytes(range(256)) * 4096  # 1 MiB
SHA = hashlib.sha256(DATA).hexdigest()
QUICK = Patience(attempts=3, pause_s=0.01, longest_pause_s=0.02, timeout_s=5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, str | None]] = []
        self.failures = 0
        self.later = "0"
        self.only = ""  # what every path is

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
        name = self.server.only or self.path.rsplit("/", 1)[-1]
        start = int(asked.split("=")[1].rstrip("-")) if asked else 0
        if name == "missing":
            self.send_error(404)
        elif name.startswith("later"):
            self.send_response(503)
            self.send_header("Retry-After", self.server.later)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif name == "page":
            self._send(b"<html>Log in first</html>", start, ranges=False)
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


@pytest.mark.parametrize(
    "later", ["99999", "9999999999999", "Fri, 31 Dec 2100 23:59:59 GMT"], ids=["s", "years", "date"]
)
def test_a_server_that_asks_for_a_long_wait_is_left(
    server: _Server, tmp_path: Path, later: str
) -> None:
    """With the patience of every pull: a wait that is kept would be seen here as a hang."""
    server.later = later
    with pytest.raises(DownloadFailed, match="asks for a wait of") as caught:
        fetch(_wanted(server, "later"), tmp_path / "p")
    assert caught.value.hint
    assert len(server.seen) == 1


def test_a_short_wait_is_kept_and_told(server: _Server, tmp_path: Path) -> None:
    server.later = "1"
    steps: list[Progress] = []
    with pytest.raises(DownloadFailed, match="503"):
        fetch(
            _wanted(server, "later"), tmp_path / "p", on_progress=steps.append,
            patience=Patience(attempts=9, pause_s=0.01, timeout_s=5, waits_s=2.5),
        )  # fmt: skip
    told = [step.text for step in steps if step.step == "note"]
    assert told == ["the server answers 503, trying again in 1 s"] * 2
    assert len(server.seen) == 3


def test_what_says_that_it_is_another_file_is_not_read(server: _Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="less than the"):
        fetch(_wanted(server, "page"), tmp_path / "p", patience=QUICK)
    assert len(server.seen) == 1
    assert not (tmp_path / "p").exists()


def arrivals(server: _Server, folder: Path) -> Arrivals:
    return Arrivals(folder / "partial", folder, folder / "kept", server.base, silent)


def weight(name: str, *datas: bytes) -> WeightFile:
    """A file that a mirror may have under its digest, the name of each source, and ours."""
    sources = [
        Source.address(
            f"https://127.0.0.1:9/far/{number}",
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
        )
        for number, data in enumerate(datas)
    ]
    return WeightFile(name, tuple(sources))


def test_a_mirror_that_gives_other_bytes_is_not_asked_for_them_again(
    server: _Server, tmp_path: Path
) -> None:
    server.only = "corrupt"
    with pytest.raises(DownloadFailed, match="SHA-256"):
        arrivals(server, tmp_path)._from_mirror(weight("face.onnx", DATA))
    assert len(server.seen) == 1


def test_a_mirror_without_an_answer_is_asked_once_in_a_pull(
    server: _Server, tmp_path: Path
) -> None:
    server.only, server.later = "later", "99999"
    pull = arrivals(server, tmp_path)
    for name in ("one.onnx", "two.onnx", "three.onnx"):
        with pytest.raises(DownloadFailed, match="asks for a wait"):
            pull._from_mirror(weight(name, DATA))
    assert len(server.seen) == 1


def test_a_mirror_that_lacks_a_name_is_asked_for_the_others(
    server: _Server, tmp_path: Path
) -> None:
    server.only = "missing"
    with pytest.raises(DownloadFailed, match="404"):
        arrivals(server, tmp_path)._from_mirror(weight("face.onnx", DATA))
    assert [path for path, _ in server.seen] == [f"/{SHA}", "/0", "/face.onnx"]


def test_a_mirror_may_hold_the_file_of_another_source(server: _Server, tmp_path: Path) -> None:
    other = weight("face.onnx", b"x" + DATA[1:], DATA)
    source, path = arrivals(server, tmp_path)._from_mirror(other)
    assert source.sha256 == SHA
    assert path.read_bytes() == DATA


def test_a_file_of_unknown_size_comes_and_its_digest_tells(server: _Server, tmp_path: Path) -> None:
    part = tmp_path / "x.part"
    fetch(RemoteFile(f"{server.base}/good", SHA, 0, "x", plain_http=True), part, patience=QUICK)
    assert part.read_bytes() == DATA
    part.unlink()
    with pytest.raises(DownloadFailed, match="SHA-256"):
        fetch(RemoteFile(f"{server.base}/corrupt", SHA, 0, "x", plain_http=True), part)


def test_a_file_of_unknown_size_goes_on_where_it_broke_and_has_a_bound(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.failures = 1
    part = tmp_path / "x.part"
    remote = RemoteFile(f"{server.base}/breaking", SHA, 0, "x", plain_http=True)
    fetch(remote, part, patience=QUICK)
    assert part.read_bytes() == DATA
    part.unlink()
    monkeypatch.setattr("facelign.models.weights.fetch.MOST_UNSTATED", 1000)
    with pytest.raises(DownloadFailed, match="more than the 1000 bytes"):
        fetch(remote, part, patience=QUICK)
    assert not part.exists()
