"""Files from addresses: streamed, resumed, retried, checked. Only ever called when asked for."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from facelign._version import __version__
from facelign.errors import DownloadFailed
from facelign.files.disk import digest
from facelign.models.weights.progress import Meter, OnProgress, Progress, silent

#: answers after which trying again makes sense (RFC 9110, RFC 6585)
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
MOST_REDIRECTS = 8
_GONE = "The address no longer works; use another source."


@dataclass(frozen=True, slots=True)
class Patience:
    """How often, and after what pause, a broken download is taken up again.

    attempts: without a byte of progress in between. pause_s: before the first retry, doubled
    each time up to ``longest_pause_s``. timeout_s: without a byte.
    """

    attempts: int = 5
    pause_s: float = 0.5
    longest_pause_s: float = 30.0
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at an address. plain_http: allow http:// (a mirror on the user's own network)."""

    url: str
    sha256: str
    size: int
    name: str
    plain_http: bool = False


class _Again(Exception):
    """Something passing went wrong; the next attempt may succeed. wait_s: as the server asks."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def fetch(
    remote: RemoteFile,
    part: Path,
    *,
    on_progress: OnProgress = silent,
    patience: Patience | None = None,
) -> None:
    """Bring ``remote`` into the file ``part``, going on where an earlier call stopped.

    Raises DownloadFailed when the bytes cannot be had, or are not those that were promised (then
    ``part`` is removed, so that a later try starts afresh).
    """
    patience = patience or Patience()
    part.parent.mkdir(parents=True, exist_ok=True)
    idle = 0
    with httpx.Client(
        timeout=patience.timeout_s,
        follow_redirects=False,
        headers={"User-Agent": f"facelign/{__version__}", "Accept-Encoding": "identity"},
    ) as client:
        while True:
            before = _length(part)
            try:
                _attempt(client, remote, part, on_progress)
            except (_Again, httpx.TransportError) as problem:
                # an attempt that brought bytes does not count: a slow line may break many times
                idle = 1 if _length(part) > before else idle + 1
                if idle >= patience.attempts:
                    raise DownloadFailed(
                        f"{remote.url}: {_reason(problem)} ({idle} attempts).",
                        "Check the connection and run the command again; it goes on where it "
                        "stopped.",
                    ) from problem
                pause = min(patience.pause_s * 2 ** (idle - 1), patience.longest_pause_s)
                asked = problem.wait_s if isinstance(problem, _Again) else 0.0
                pause = max(pause * random.uniform(0.8, 1.2), asked)  # noqa: S311
                on_progress(Progress("note", remote.name, text=f"{_reason(problem)}, trying again"))
                time.sleep(min(pause, 2 * patience.longest_pause_s))
            else:
                break
    found = digest(part)
    if found != remote.sha256:
        part.unlink()
        raise DownloadFailed(
            f"{remote.url}: SHA-256 is {found}, wanted {remote.sha256}.",
            "Another file lies there now, or something on the way changed it. It was not kept.",
        )


def _attempt(client: httpx.Client, remote: RemoteFile, part: Path, on_progress: OnProgress) -> None:
    have = _length(part)
    if have == remote.size:
        return
    if have > remote.size:
        part.unlink()
        have = 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    url = remote.url
    for _ in range(MOST_REDIRECTS):
        _allowed(url, remote)
        with client.stream("GET", url, headers=headers) as answer:
            if answer.is_redirect:
                url = urljoin(url, answer.headers["location"])
                continue
            _receive(answer, remote, part, have, on_progress)
            return
    raise DownloadFailed(f"{remote.url}: too many redirects.", "The address no longer works.")


def _allowed(url: str, remote: RemoteFile) -> None:
    parts = urlsplit(url)
    schemes = {"https", "http"} if remote.plain_http else {"https"}
    if parts.scheme not in schemes or not parts.hostname:
        raise DownloadFailed(f"{remote.url}: leads to {url}, which is not an https address.", _GONE)


def _receive(
    answer: httpx.Response, remote: RemoteFile, part: Path, have: int, on_progress: OnProgress
) -> None:
    if answer.status_code == 416 and have:  # our part is no beginning of what lies there now
        part.unlink(missing_ok=True)
        raise _Again("the server cannot go on in the middle")
    if answer.status_code in AGAIN:
        raise _Again(f"the server answers {answer.status_code}", _wait(answer))
    if answer.status_code not in (200, 206):
        raise DownloadFailed(f"{remote.url}: the server answers {answer.status_code}.", _GONE)
    if not (have and answer.status_code == 206 and _starts_at(answer, have)):
        have = 0  # the server sends the whole, or something else than asked for
        if answer.status_code == 206 and not _starts_at(answer, 0):
            part.unlink(missing_ok=True)
            raise _Again("the server sends another part than asked for")
    meter = Meter(remote.name, remote.size, on_progress, start=have)
    with part.open("ab" if have else "wb") as out:
        for block in answer.iter_raw():  # as it comes: larger blocks would be lost with the line
            have += len(block)
            if have > remote.size:
                break
            out.write(block)
            meter(have)
    if have > remote.size:
        part.unlink()
        raise DownloadFailed(
            f"{remote.url}: gives more than the {remote.size} bytes it should.",
            "Another file lies there now; use another source.",
        )
    if have < remote.size:
        raise _Again(f"the connection ended after {have} of {remote.size} bytes")


def _starts_at(answer: httpx.Response, start: int) -> bool:
    found = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", answer.headers.get("content-range", ""))
    return found is not None and int(found[1]) == start


def _wait(answer: httpx.Response) -> float:
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isdigit() and len(asked) < 6 else 0.0


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _reason(problem: Exception) -> str:
    return str(problem) or type(problem).__name__
