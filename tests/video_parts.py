"""What tests of films and cameras need: PyAV, a broker, an RTSP server, or a reason to skip."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

#: the Python of the system, which has the bindings of GStreamer
SYSTEM_PYTHON = "/usr/bin/python3"
_SERVER = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ("appsrc", "x264enc", "rtph264pay", "jpegenc")))
"""
#: what may be asked for -> how it is had
REASONS = {
    "av": "films need the extra video: pip install 'facelign[video]'",
    "paho": "MQTT needs the extra video: pip install 'facelign[video]'",
    "mosquitto": "this needs a broker: apt install mosquitto",
    "rtsp": (
        "this needs an RTSP server: apt install python3-gi gir1.2-gst-rtsp-server-1.0 "
        "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad "
        "gstreamer1.0-plugins-ugly"
    ),
}


def required() -> bool:
    """Say whether everything must be here: FACELIGN_REQUIRE_VIDEO is set (as in .ci/run)."""
    return os.environ.get("FACELIGN_REQUIRE_VIDEO", "") not in ("", "0")


def needed(*parts: str) -> None:
    """Skip the module or test where one of ``REASONS`` is not here, or fail where it must be."""
    for part in parts:
        if _here(part):
            continue
        if required():
            pytest.fail(f"{REASONS[part]}, and FACELIGN_REQUIRE_VIDEO is set", pytrace=False)
        pytest.skip(REASONS[part], allow_module_level=True)


def mosquitto() -> str | None:
    """Return the program of the broker, which lies where only administrators look."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@cache
def _here(part: str) -> bool:
    if part == "mosquitto":
        return mosquitto() is not None
    if part == "rtsp":
        if not Path(SYSTEM_PYTHON).exists():
            return False
        tried = subprocess.run([SYSTEM_PYTHON, "-c", _SERVER], capture_output=True, timeout=60)
        return tried.returncode == 0
    return find_spec(part) is not None
