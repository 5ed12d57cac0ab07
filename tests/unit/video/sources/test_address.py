"""What words for sources mean, and that nothing secret of them is ever told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import InputError
from facelign.video.sources.address import SourceForm, address_of, host_of, public_name


@pytest.mark.parametrize(
    ("word", "form", "name"),
    [
        ("0", SourceForm.WEBCAM, "webcam 0"),
        ("-", SourceForm.STDIN, "<standard input>"),
        ("film.mp4", SourceForm.FILE, "film.mp4"),
        ("./0", SourceForm.FILE, "./0"),
        ("C:\\films\\a.mp4", SourceForm.FILE, "C:\\films\\a.mp4"),
        ("rtsp://cam/live", SourceForm.NETWORK, "rtsp://cam/live"),
        ("RTSP://u:p@cam:8554/a?subtype=1", SourceForm.NETWORK, "rtsp://cam:8554/a?subtype=1"),
        ("http://cam/video?user=u&pwd=p&fps=5", SourceForm.NETWORK,
         "http://cam/video?user=***&pwd=***&fps=5"),
        ("rtsp://cam/user=u&password=p&channel=2/s.sdp", SourceForm.NETWORK,
         "rtsp://cam/user=***&password=***&channel=2/s.sdp"),
        ("rtsps://u:p@[fd00::1]:322/x", SourceForm.NETWORK, "rtsps://[fd00::1]:322/x"),
    ],
)  # fmt: skip
def test_what_words_mean(word: str, form: SourceForm, name: str) -> None:
    address = address_of(word)
    assert (address.form, address.name) == (form, name)
    assert word == name or word not in repr(address) or form is not SourceForm.NETWORK


def test_ways_that_are_not_known_are_refused_without_their_password() -> None:
    for word in ("ftp://u:geheim@cam/x", "file:///etc/passwd", "concat://a", "rtsp:///x"):
        with pytest.raises(InputError) as raised:
            address_of(word)
        assert raised.value.hint
        assert "geheim" not in str(raised.value)
    with pytest.raises(InputError, match="names no host"):
        address_of("rtsp://u:geheim@cam:port/x")


SECRET = st.text("abcXYZ0189:/?#@&=%;+ä ", min_size=6).map(lambda text: f"q{text}q")


@given(user=SECRET, password=SECRET)
def test_no_user_and_no_password_is_told_whatever_signs_are_in_it(user: str, password: str) -> None:
    name = public_name(f"rtsp://{user}:{password}@cam.local:554/live?channel=1")
    assert name == "rtsp://cam.local:554/live?channel=1"


@given(st.text("abc019XYZ._-", min_size=1), st.sampled_from(["pwd", "token", "auth", "k", "sig"]))
def test_no_value_of_a_query_is_told_that_does_not_say_which_picture(value: str, key: str) -> None:
    assert public_name(f"http://cam/v?{key}={value}&channel=1") == (
        f"http://cam/v?{key}=***&channel=1"
    )


def test_where_a_camera_is() -> None:
    assert host_of("rtsp://u:p@cam/x") == ("cam", 554)
    assert host_of("http://[::1]:81/x") == ("::1", 81)
    assert host_of("rtsp://cam:a/x") is None
