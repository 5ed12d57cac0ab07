"""A camera for tests: an RTSP server whose pictures tell when they were taken.

Run by the Python of the system, which has the bindings of GStreamer and nothing else:

    /usr/bin/python3 tests/rtsp_server.py --port 8554 --size 320x180 --fps 25 --codec h264

Each picture shows the milliseconds of the monotonic clock, as ``made_films.number_of`` reads them.
With ``--user`` and ``--password`` it asks for them. ``--scenes`` are files in I420 of that size,
shown under the bits in turns of ``--turn-ms`` of that clock. It prints ``ready`` when it listens.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

#: bits that are drawn, as in tests/made_films.py
BITS = 24
CODECS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max={gop} ! rtph264pay",
    "jpeg": "jpegenc quality=85 ! rtpjpegpay",
}


def picture(number: int, wide: int, tall: int, scene: bytes = b"") -> bytes:
    """Return a picture in I420: gray, or a scene, with the bits of a number as squares in it."""
    row = bytearray([128] * wide)
    for bit in range(BITS):
        left, right = wide * (bit + 2) // (BITS + 4), wide * (bit + 3) // (BITS + 4)
        row[left:right] = bytes([235 if number >> bit & 1 else 16]) * (right - left)
    gray = bytes([128]) * wide
    first, last = tall // 2, tall * 3 // 4
    if scene:
        return scene[: first * wide] + bytes(row) * (last - first) + scene[last * wide :]
    light = gray * first + bytes(row) * (last - first) + gray * (tall - last)
    return light + bytes([128]) * (wide * tall // 2)


class Camera(GstRtspServer.RTSPMediaFactory):
    """Pictures of now, at their rate, for as long as somebody looks."""

    def __init__(
        self, size: tuple[int, int], fps: int, codec: str, scenes: list[bytes], turn_ms: int
    ) -> None:
        super().__init__()
        self.scenes, self.turn_ms = scenes or [b""], turn_ms
        (self.wide, self.tall), self.fps = size, fps
        self.set_shared(True)
        coded = CODECS[codec].format(gop=fps)
        self.set_launch(
            "( appsrc name=source is-live=true do-timestamp=true format=time caps=video/x-raw,"
            f"format=I420,width={self.wide},height={self.tall},framerate={fps}/1 "
            f"! {coded} name=pay0 pt=96 )"
        )

    def configure(self, media: GstRtspServer.RTSPMedia) -> None:
        """Begin to take pictures when somebody begins to look."""
        source = media.get_element().get_by_name_recurse_up("source")

        def push() -> bool:
            number = time.monotonic_ns() // 1_000_000 % (1 << BITS)
            scene = self.scenes[number // self.turn_ms % len(self.scenes)]
            data = picture(number, self.wide, self.tall, scene)
            return source.emit("push-buffer", Gst.Buffer.new_wrapped(data)) == Gst.FlowReturn.OK

        GLib.timeout_add(1000 // self.fps, push)


def main() -> None:
    """Serve until killed."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--port", default="8554")
    words.add_argument("--size", default="320x180")
    words.add_argument("--fps", type=int, default=25)
    words.add_argument("--codec", choices=CODECS, default="h264")
    words.add_argument("--user", default="")
    words.add_argument("--password", default="")
    words.add_argument("--scenes", nargs="*", default=[])
    words.add_argument("--turn-ms", type=int, default=3000)
    given = words.parse_args()
    Gst.init(None)
    wide, tall = map(int, given.size.split("x"))
    scenes = [Path(name).read_bytes() for name in given.scenes]
    camera = Camera((wide, tall), given.fps, given.codec, scenes, given.turn_ms)
    camera.connect("media-configure", lambda factory, media: factory.configure(media))
    server = GstRtspServer.RTSPServer(service=given.port, address="127.0.0.1")
    if given.user:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        basic = GstRtspServer.RTSPAuth.make_basic(given.user, given.password)
        auth.add_basic(basic, token)
        auth.set_supported_methods(1)
        server.set_auth(auth)
        camera.add_role_from_structure(
            Gst.Structure.new_from_string(
                "viewer,media.factory.access=(boolean)true,media.factory.construct=(boolean)true"
            )
        )
    server.get_mount_points().add_factory("/camera", camera)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
