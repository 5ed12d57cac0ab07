"""Where frames come from, said in one word: a file, a camera, standard input.

PyAV is opened in here and nowhere else (extra ``video``); it is loaded with the first source.
"""

from __future__ import annotations

from facelign.files.home import expanded
from facelign.types.contracts import FrameSource
from facelign.types.policies import Limits


def opened(word: str, *, live: bool = False, limits: Limits | None = None) -> FrameSource:
    """Return the frames that a word means.

    word: a file that PyAV opens, such as an MP4, MKV or GIF. limits: pixels of the largest frame
    that is taken. Raises InputError in one sentence for what is no film, ExtraMissing without the
    extra.
    """
    from facelign.video.sources.film import Film

    return Film(expanded(word), limits)
