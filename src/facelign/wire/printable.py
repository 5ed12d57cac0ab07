"""Text that moves no cursor and turns no line, for terminals, tables and JSON alike."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

#: characters that move the cursor, color the screen or turn the direction of a line: names of
#: files may hold them, and a terminal obeys them
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Return the text with control characters (but tabs) spelled out, such as ``\x1b``."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def json_line(record: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """Return a record as one line of JSON, control characters spelled as JSON does it."""
    text = json.dumps(record, ensure_ascii=ascii_only, allow_nan=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
