"""Files from addresses: streamed, resumed, retried, checked. Only ever called when asked for."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from facelign._version import __version__
from facelign.errors import DownloadFailed
from facelign.files.disk import digest
from facelign.models.weights.progress import Meter, OnProgress, Progress, silent
from facelign.types.specs import MOST_UNSTATED

#: answers after which trying again makes sense (RFC 9110, RFC 6585)
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
MOST_REDIRECTS = 8
_GONE = "The address no longer works; use another source."


@dataclass(frozen=True, slots=True)
class Patience:
    """How often, and after what pause, a broken download is taken up again.

    attempts: without a byte of progress in between. pause_s: before the first retry, doubled
    each time up to ``longest_pause_s``. timeout_s: without a byte. waits_s: all pauses together; a
    server that asks for a longer one (Retry-After, RFC 9110 section 10.2.3) is left at once.
    """

    attempts: int = 5
    pause_s: float = 0.5
    longest_pause_s: float = 30.0
    timeout_s: float = 30.0
    waits_s: float = 60.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at an address. plain_http: allow http:// (a mirror on the user's own network).

    size: 0 where nobody tells it; at most MOST_UNSTATED bytes come then. sha256: "" where the first
    bytes that come are trusted.
    """

    url: str
    sha256: str
    size: int
    name: str
    plain_http: bool = False


class NotThere(DownloadFailed):
    """The server has no such file; it may have others."""


class WrongBytes(DownloadFailed):
    """Another file lies there; it was not kept."""


class Unanswered(DownloadFailed):
    """The server is of no use now: it is silent, breaks off, or asks for too long a wait."""


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
    idle, waited = 0, 0.0
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
                pause = min(patience.pause_s * 2 ** (idle - 1), patience.longest_pause_s)
                asked = problem.wait_s if isinstance(problem, _Again) else 0.0
                pause = max(pause * random.uniform(0.8, 1.2), asked)  # noqa: S311
                waited += pause
                if idle >= patience.attempts or waited > patience.waits_s:
                    why = f" and asks for a wait of {asked:,.0f} s" if asked else ""
                    raise Unanswered(
                        f"{remote.url}: {_reason(problem)}{why} ({idle} attempts).",
                        "Check the connection and run the command again; it goes on where it "
                        "stopped.",
                    ) from problem
                when = f" in {pause:.0f} s" if pause >= 1 else ""
                text = f"{_reason(problem)}, trying again{when}"
                on_progress(Progress("note", remote.name, text=text))
                time.sleep(pause)
            else:
                break
    found = digest(part)
    if remote.sha256 and found != remote.sha256:
        part.unlink()
        raise WrongBytes(
            f"{remote.url}: SHA-256 is {found}, wanted {remote.sha256}.",
            "Another file lies there now, or something on the way changed it. It was not kept.",
        )


def _attempt(client: httpx.Client, remote: RemoteFile, part: Path, on_progress: OnProgress) -> None:
    have = _length(part)
    if have == remote.size and have:
        return
    if have > (remote.size or MOST_UNSTATED):
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
        raise NotThere(f"{remote.url}: the server answers {answer.status_code}.", _GONE)
    _refuse_other_size(answer, remote, part)
    if not (have and answer.status_code == 206 and _starts_at(answer, have)):
        have = 0  # the server sends the whole, or something else than asked for
        if answer.status_code == 206 and not _starts_at(answer, 0):
            part.unlink(missing_ok=True)
            raise _Again("the server sends another part than asked for")
    most = remote.size or MOST_UNSTATED
    meter = Meter(remote.name, remote.size, on_progress, start=have)
    with part.open("ab" if have else "wb") as out:
        for block in answer.iter_raw():  # as it comes: larger blocks would be lost with the line
            have += len(block)
            if have > most:
                break
            out.write(block)
            meter(have)
    if have > most:
        part.unlink()
        raise WrongBytes(
            f"{remote.url}: gives more than the {most} bytes it should.",
            "Another file lies there now; use another source.",
        )
    if have < remote.size:
        raise _Again(f"the connection ended after {have} of {remote.size} bytes")


def _refuse_other_size(answer: httpx.Response, remote: RemoteFile, part: Path) -> None:
    """Raise WrongBytes before a byte is read where the server says that the whole is another."""
    told = answer.headers.get("content-length" if answer.status_code == 200 else "content-range")
    size = (told or "").rpartition("/")[2]
    if (
        size.isdecimal()
        and remote.size
        and int(size) != remote.size
        and "content-encoding" not in answer.headers
    ):
        part.unlink(missing_ok=True)
        than = "more" if int(size) > remote.size else "less"
        raise WrongBytes(
            f"{remote.url}: gives {than} than the {remote.size} bytes it should.",
            "Another file lies there now; use another source.",
        )


def _starts_at(answer: httpx.Response, start: int) -> bool:
    found = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", answer.headers.get("content-range", ""))
    return found is not None and int(found[1]) == start


def _wait(answer: httpx.Response) -> float:
    """Return how long the server asks to wait, s: a number, or until a date."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked[:9])
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _reason(problem: Exception) -> str:
    return str(problem) or type(problem).__name__
