"""Pictures in: from whatever a person has to one upright RGB ``Image``.

Formats: JPEG, PNG, WebP, BMP, TIFF, PNM, GIF (first frame), AVIF where Pillow has it, HEIC with
the extra ``heif``; told by their first bytes, whatever the name says. Color profiles are left as
they are: values are taken for sRGB.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeGuard, Union
from urllib.parse import unquote_to_bytes

import numpy as np

from facelign.errors import BadArray, UnreadableImage, UnsupportedImage
from facelign.files.disk import Readable, digest
from facelign.files.home import expanded
from facelign.imaging.containers import MAGIC_BYTES, inspect, kind_of
from facelign.imaging.decode import decode, pixels_of
from facelign.imaging.faults import Fault
from facelign.imaging.listing import (
    STDIN,
    STDIN_NAME,
    Listing,
    PeopleFolders,
    address,
    clean_path,
    handed_over,
    named,
    people_folders,
    photos,
)
from facelign.types.arrays import AnyArray
from facelign.types.image import Image
from facelign.types.policies import Limits

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = [
    "DEFAULT",
    "Limits",
    "Listing",
    "PeopleFolders",
    "Source",
    "clean_path",
    "is_photo",
    "opened",
    "people_folders",
    "photos",
    "read",
    "read_image",
    "refusal",
]

Order = Literal["rgb", "bgr", "gray"]


DEFAULT = Limits()
#: characters; Linux allows 4,096 bytes, Windows 32,767 characters
LONGEST_PATH = 32_767


#: what one photo may be handed in as
Source = Union[
    str, os.PathLike[str], bytes, bytearray, memoryview, BinaryIO, Image, AnyArray, "Picture"
]


def read(
    source: Source,
    *,
    order: Order | None = None,
    at_least: int | None = None,
    limits: Limits = DEFAULT,
) -> Image:
    """Return the upright picture; see ``read_image``.

    at_least: the decoder may reduce a JPEG by 2, 4 or 8 as long as its long side keeps this many
    pixels (one longer than 2:1 keeps more, ``imaging.resize.long_side``); ``Image.scale`` says by
    how much, ``Image.full()`` decodes again at full size.
    """
    found = opened(source, order=order, limits=limits)
    return found if isinstance(found, Image) else found.decoded(at_least)


def opened(
    source: Source, *, order: Order | None = None, limits: Limits = DEFAULT
) -> Encoded | Image:
    """Return the bytes of a photo, read once and not decoded, or the photo where it is pixels.

    Every photo comes in here; see ``read_image``.
    """
    if isinstance(source, Image):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, order)
    picture = _by_pillow(source)
    if picture is not None:
        try:
            return Image.from_array(pixels_of(picture, limits.pixels), "rgb", _name(picture))
        except Fault as fault:
            raise fault.error(f"{_name(picture)} {fault.told}.", fault.hint) from fault.__cause__
    return encoded(source, limits=limits)


def is_photo(thing: object) -> TypeGuard[Source]:
    """Say whether something is handed in as one photo, such as a path, and not as several.

    >>> is_photo("a.jpg"), is_photo(["a.jpg", "b.jpg"]), is_photo(None)
    (True, False, False)
    """
    one = (str, os.PathLike, bytes, bytearray, memoryview, Image, np.ndarray, Readable)
    return isinstance(thing, one) or _by_pillow(thing) is not None


def _by_pillow(thing: object) -> Picture | None:
    """Return a picture of Pillow's; nobody has one where Pillow was not loaded."""
    # while another thread is loading it, the module is there and its class not yet
    kind: Any = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return thing if kind is not None and isinstance(thing, kind) else None


def _name(picture: Picture) -> str:
    file = getattr(picture, "filename", "")
    return str(file) if file else "<picture>"


def read_image(source: Source, *, order: Order | None = None, limits: Limits = DEFAULT) -> Image:
    """Return a photo as upright RGB pixels.

    Args:
        source: a path, bytes, base64 text, a data URL, an open binary file, a picture of Pillow's,
            or an array; "-" and /dev/stdin mean standard input.
        order: for an array only, and needed there: "rgb" or "bgr" for (h, w, 3), "gray" for
            (h, w), dtype uint8.
        limits: the largest file and the largest picture that are accepted.

    The EXIF orientation is applied; transparent pictures are laid on white; 16 bits a channel are
    scaled to 8; of an animation the first frame is taken.

    Raises:
        UnreadableImage: there is no such file, or it is no picture, or a damaged or truncated one.
        UnsupportedImage: its kind is not read, or it is larger than the limits.
        ExtraMissing: a HEIC photo, and ``pip install 'facelign[heif]'`` was not run.
        BadArray: the array has another shape or dtype, or its order was not said.

    Example:
        >>> import numpy as np
        >>> image = read_image(np.zeros((4, 6, 3), np.uint8), order="bgr")
        >>> image.size, image.pixels.shape
        ((6, 4), (4, 6, 3))
    """
    return read(source, order=order, limits=limits)


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The bytes of a picture, read and not yet decoded.

    name: for people. digest: SHA-256 of the bytes, by which galleries and caches know a photo.
    """

    name: str
    data: bytes = field(repr=False)
    digest: str
    limits: Limits = DEFAULT

    def decoded(self, at_least: int | None = None) -> Image:
        """Return the upright picture; see ``read``."""
        try:
            found = decode(inspect(self.data), self.limits.pixels, at_least)
        except Fault as fault:
            raise fault.error(f"{self.name} {fault.told}.", fault.hint) from fault.__cause__
        # the bytes are kept rather than the path: the file may change or go
        reload = None if found.scale == 1.0 else self.decoded
        return Image(
            found.pixels,
            found.size,
            found.scale,
            self.name,
            self.digest,
            found.orientation,
            reload=reload,
        )


def encoded(source: Source, *, limits: Limits = DEFAULT) -> Encoded:
    """Return the bytes of a source that is neither an array nor an Image; see ``read_image``."""
    name, data = _bytes_of(source, limits)
    return Encoded(name, data, digest(data), limits)


def _from_array(array: AnyArray, order: Order | None) -> Image:
    if order is None:
        raise BadArray(
            "order: an array does not say the order of its colors.",
            "Pass order='rgb', order='bgr' (OpenCV's) or order='gray'.",
        )
    if order == "gray" and array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return Image.from_array(array, order)


def _bytes_of(source: object, limits: Limits) -> tuple[str, bytes]:
    """Return a name for people, and the bytes of the file."""
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>", _within("<bytes>", bytes(source), limits)
    if isinstance(source, os.PathLike):
        return str(source), _file(expanded(Path(source)), limits)
    if isinstance(source, str):
        return _text(source, limits)
    if isinstance(source, Readable):
        named = getattr(source, "name", None)
        name = named if isinstance(named, str) else "<stream>"
        data = source.read(limits.bytes + 1)
        if not isinstance(data, bytes):
            raise UnreadableImage(f"{name} gives text.", "Open it with mode 'rb'.")
        return name, _within(name, data, limits)
    raise refusal(source)


def refusal(thing: object) -> UnreadableImage:
    """Return the error for what is handed in as a photo and is none."""
    if thing is None:
        return UnreadableImage(
            "None (NoneType) is no photo.", "cv2.imread gives None where it could not read a file."
        )
    if isinstance(thing, Iterable):
        return UnreadableImage(
            f"{_a(thing)} is no photo, and one is asked for.",
            "Pass one photo; several go to analyze, identify_many or enroll.",
        )
    return UnreadableImage(
        f"{_a(thing)} is nothing that a photo can be read from.",
        "Give a path, bytes, base64 text, a data URL, an open file, an array or a Pillow picture.",
    )


def _a(thing: object) -> str:
    """Return what kind of thing something is, in words: "A list", "An Analysis"."""
    kind = type(thing).__name__
    return f"{'An' if kind[0] in 'AEIOUaeio' else 'A'} {kind}"


def _within(name: str, data: bytes, limits: Limits) -> bytes:
    _check_size(name, len(data), limits)
    return data


def _check_size(name: str, size: int, limits: Limits) -> None:
    if size > limits.bytes:
        raise UnsupportedImage(
            f"{name} has more than {limits.bytes / 1e6:,.0f} MB, the limit for a file.",
            "Make it smaller, such as by saving it as JPEG.",
        )


def _file(path: Path, limits: Limits) -> bytes:
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise UnreadableImage(f"{path} is a folder.", "Name the photos in it.")
        # reading a pipe or a device may never end; those that a shell hands over do
        if not stat.S_ISREG(found.st_mode) and not handed_over(path):
            raise UnreadableImage(f"{path} is no ordinary file.", "Name a file.")
        _check_size(str(path), found.st_size, limits)  # a file of holes takes no disk, and memory
        with path.open("rb") as file:
            # memory is asked for before it is read: for a photo, not for the largest there may be
            data = file.read(found.st_size + 1)
            if len(data) != found.st_size:  # it grew, or nobody can say: a pipe, a device
                data += file.read(limits.bytes + 1 - len(data))
            return _within(str(path), data, limits)
    except FileNotFoundError:
        raise UnreadableImage(
            f"There is no file {_short(str(path))}.", "Check the spelling."
        ) from None
    except ValueError:  # a NUL in the path
        raise UnreadableImage(f"{str(path)!r} is no path.", "Check the spelling.") from None
    except OSError as problem:
        raise UnreadableImage(
            f"{_short(str(path))} cannot be opened: {problem.strerror}.", "Check its permissions."
        ) from problem


def _standard_input(limits: Limits) -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UnreadableImage(
            "Standard input is a terminal, no photo.", "Pass a photo on: cat photo.jpg | ..."
        )
    return _within(STDIN_NAME, sys.stdin.buffer.read(limits.bytes + 1), limits)


def _short(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:40]}... ({len(text)} characters)"


def _text(text: str, limits: Limits) -> tuple[str, bytes]:
    """Return the bytes that a text means: a data URL, a path, or base64."""
    if text[:5].lower() == "data:":
        return "<data URL>", _within("<data URL>", _data_url(text), limits)
    if text == STDIN:
        return STDIN_NAME, _standard_input(limits)
    if address(text):
        raise UnreadableImage(
            f"{_short(text)} is an address; nothing is fetched from the network.",
            "Save the photo and name the file.",
        )
    # no path is longer; and text that names nothing may be base64, of any picture worth reading
    path = clean_path(text)[0] if len(text) <= LONGEST_PATH else None
    if path is None or (len(text) >= 64 and not named(path)):
        data = _base64(text)
        if data is not None and kind_of(data[:MAGIC_BYTES]) is not None:
            return "<base64>", _within("<base64>", data, limits)
    if path is None:
        raise UnreadableImage(
            f"{_short(text)} is neither a path nor base64 of a picture.", "Name a file."
        )
    return str(path), _file(path, limits)


def _data_url(text: str) -> bytes:
    head, comma, body = text.partition(",")
    if not comma:
        raise UnreadableImage("The data URL has no comma.", "Its form is data:image/...;base64,...")
    if not head.lower().rstrip().endswith(";base64"):
        return unquote_to_bytes(body)
    data = _base64(unquote_to_bytes(body).decode("latin-1"))
    if data is None:
        raise UnreadableImage("The data URL is no valid base64.", "Copy it again, to its end.")
    return data


def _base64(text: str) -> bytes | None:
    """Return what base64 text means (either alphabet, padding and line breaks optional)."""
    try:
        plain = "".join(text.split()).rstrip("=").encode("ascii")
        plain = plain.translate(bytes.maketrans(b"-_", b"+/"))
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
