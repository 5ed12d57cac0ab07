"""Where frames come from, said in one word: a file, a camera, standard input.

PyAV is opened in here and nowhere else (extra ``video``); it is loaded with the first source.

A word is a file, ``0`` for a webcam (V4L2 under Linux; AVFoundation under macOS and DirectShow
under Windows are spelled out and untried), ``rtsp://`` or ``http://`` for a camera of a network,
and ``-`` for a film or JPEG frames on standard input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facelign.types.contracts import FrameSource
from facelign.types.policies import Limits
from facelign.video.sources.address import Address, SourceForm, address_of

if TYPE_CHECKING:
    from facelign.video.sources.camera import CameraOptions
    from facelign.video.sources.newest import Cameras


def opened(
    word: str,
    *,
    live: bool = False,
    options: CameraOptions | None = None,
    limits: Limits | None = None,
) -> FrameSource:
    """Return the frames that a word means.

    A file gives every frame, in order; with ``live`` it is played as a camera: at its own pace,
    the newest frame only. Cameras and standard input are always live. options: how a live source is
    read. limits: pixels of the largest frame that is taken. Raises InputError in one sentence for
    what is no film, no camera or not there; a camera that does not answer is waited for.
    Raises ExtraMissing without the extra.
    """
    address = address_of(word)
    if address.form is SourceForm.FILE and not live:
        from facelign.video.sources.film import Film

        return Film(address.path, limits)
    from facelign.video.sources.newest import Newest

    return Newest(_checked(address, limits), options, limits)


def opened_together(
    words: Sequence[str],
    *,
    options: Sequence[CameraOptions] | None = None,
    limits: Limits | None = None,
) -> Cameras:
    """Return several live sources for one consumer; see ``opened``. options: of each."""
    from facelign.video.sources.newest import Cameras

    addresses = [_checked(address_of(word), limits) for word in words]
    return Cameras(addresses, options, limits)


def _checked(address: Address, limits: Limits | None) -> Address:
    """Return the address of a source; raises InputError for what will never give a frame."""
    from facelign.video.sources.camera import check

    check(address)
    if address.form is SourceForm.FILE:
        from facelign.video.sources.film import Film

        Film(address.path, limits).close()
    return address
