"""What a word for a source means, and how it is told without its password."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from facelign.errors import InputError
from facelign.files.home import expanded
from facelign.imaging.listing import STDIN, STDIN_NAME


class SourceForm(StrEnum):
    """What frames come out of."""

    FILE = "file"
    WEBCAM = "webcam"
    NETWORK = "network"
    STDIN = "stdin"


@dataclass(frozen=True, slots=True)
class Address:
    """A source. name: how it is told, without anything secret. word: as it was given, secret."""

    form: SourceForm
    name: str
    word: str = field(repr=False)

    @property
    def path(self) -> Path:
        """The file that it is."""
        return expanded(self.word)


#: protocols that are spoken -> the port where nothing else is said
PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
#: what is no file's name that anybody means: somebody and a password before an @
_SECRET = re.compile(r"[^@]*:[^@]*@.")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
#: what a camera is asked for that is no secret; every other value is hidden
_PLAIN = frozenset(
    {
        "channel",
        "ch",
        "chn",
        "camera",
        "cam",
        "stream",
        "substream",
        "subtype",
        "profile",
        "unicast",
    }
    | {"proto", "resolution", "size", "width", "height", "fps", "framerate", "quality", "rotation"}
)
#: a value in a path or a query, as in /user=admin&password=x/ or ?pwd=x
_VALUE = re.compile(r"([A-Za-z][\w.-]*)=([^&/;?#\s]*)")
#: digits that name a webcam, and devices that are one
_NUMBER, _DEVICE = re.compile(r"\d{1,3}"), re.compile(r"/dev/video(\d+)")


def address_of(word: str) -> Address:
    """Return what a word means: a number a webcam, ``-`` standard input, else a URL or a file.

    Raises InputError for a protocol that is not spoken and for a URL without a host.
    """
    if word == STDIN:
        return Address(SourceForm.STDIN, STDIN_NAME, word)
    if _NUMBER.fullmatch(word):
        return Address(SourceForm.WEBCAM, f"webcam {int(word)}", word)
    device = _DEVICE.fullmatch(word)
    if device and _is_device(Path(word)):
        return Address(SourceForm.WEBCAM, f"webcam {int(device[1])}", device[1])
    scheme = _SCHEME.match(word)
    if scheme is None and _SECRET.match(word) and not Path(word).exists():
        raise InputError(
            "This looks like the address of a camera without its protocol.",
            "Its form is rtsp://user:password@host/stream.",
        )
    if scheme is None:
        return Address(SourceForm.FILE, word, word)
    if scheme[1].lower() not in PORTS:
        raise InputError(
            f"{scheme[1]}:// is no way to a camera that is known here.",
            "Give rtsp:// or http://, a file, a number (a webcam) or - (standard input).",
        )
    parts = _split(word)
    if parts is None or not parts.hostname:
        raise InputError(
            f"The address {public_name(word)} names no host.", "Its form is rtsp://host/stream."
        )
    plain = f"{scheme[1].lower()}{word[scheme.end(1) :]}"  # FFmpeg knows them in lower case only
    return Address(SourceForm.NETWORK, public_name(word), plain)


def public_name(url: str) -> str:
    """Return a URL without user, password and what else may be secret in it.

    Of a query, and of values in a path, only those that say which picture is wanted are left. A
    path without values is told as it is: one that is itself a secret wants another name.

    >>> public_name("rtsp://admin:pa@ss@cam.local:554/live?channel=1&token=abc")
    'rtsp://cam.local:554/live?channel=1&token=***'
    """
    scheme, _, rest = url.partition("://")
    # whatever stands before the last @: a password may have one in it, or a slash
    shown = rest.rpartition("@")[2]
    return f"{scheme.lower()}://{_VALUE.sub(_hidden, shown)}"


def _hidden(found: re.Match[str]) -> str:
    return found[0] if found[1].lower() in _PLAIN else f"{found[1]}=***"


def host_of(word: str) -> tuple[str, int] | None:
    """Return (host, port) of a URL."""
    parts = _split(word)
    if parts is None or not parts.hostname:
        return None
    return parts.hostname, parts.port or PORTS[parts.scheme.lower()]


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL, or None for one whose host or port cannot be meant."""
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname
    except ValueError:
        return None
    return parts


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False
