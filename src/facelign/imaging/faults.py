"""How the inner parts say what is wrong with a file; ``read`` adds its name and raises it."""

from __future__ import annotations

from facelign.errors import InputError, UnreadableImage, UnsupportedImage


class Fault(Exception):
    """A file that gives no picture: ``told`` finishes a sentence that starts with its name."""

    error: type[InputError] = UnreadableImage

    def __init__(self, told: str, hint: str = "") -> None:
        super().__init__(told, hint)
        self.told = told
        self.hint = hint


class Damaged(Fault):
    """The bytes are no picture, or a damaged one."""

    def __init__(self, told: str, hint: str = "Copy the file again from where it came.") -> None:
        super().__init__(told, hint)


class Unsupported(Fault):
    """A picture of a kind or size that is refused."""

    error = UnsupportedImage

    def __init__(self, told: str, hint: str = "Save it as JPEG, PNG or WebP.") -> None:
        super().__init__(told, hint)
