"""Webhooks and outboxes: a receiver that fails, is away, is killed; and what is signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facelign.errors import ConfigError, SinkError
from facelign.types.contracts import EventSink
from facelign.types.events import Event, EventKind, event_id
from facelign.video.sinks.jsonl import JsonlLog
from facelign.video.sinks.outbox import Outbox, Pauses
from facelign.video.sinks.webhook import WebhookSink, signature
from facelign.video.telling import Telling
from killed import RUNS, killed
from receivers import receiver

QUICK = Pauses(0.01, 0.05, 5.0)
NOW = datetime.now(UTC)


def event(number: int, person: str | None = "Ada", **more: object) -> Event:
    time = NOW + timedelta(seconds=number)
    key = event_id("door", time, EventKind.RECOGNIZED, number)
    return Event(key, EventKind.RECOGNIZED, "door", time, number, person, **more)  # type: ignore[arg-type]


class Away(EventSink):
    """Takes nothing."""

    name = "away"

    def put(self, events: Sequence[Event]) -> None:
        raise SinkError("away is away.", "Wait.")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("kept", [False, True])
def test_an_address_that_fails_three_times_gets_every_event_once_in_order(
    tmp_path: Path, kept: bool
) -> None:
    said: list[str] = []
    with receiver(fails=3) as hook:
        sink = WebhookSink(hook.url, "a secret")
        with Outbox(sink, tmp_path / "o" if kept else None, said.append, QUICK) as box:
            box.put([event(n) for n in range(5)])
            box.put([event(2)])
        assert [json.loads(body)["visit"] for _, body in hook.taken] == [0, 1, 2, 3, 4]
        assert hook.asked == 8
    assert [text.split(":")[0] for text in said] == ["http", "http"]
    assert "answers 503" in said[0]
    assert said[1].endswith("takes events again.")


def test_what_is_posted_is_signed_as_standard_webhooks_says() -> None:
    with receiver() as hook, WebhookSink(hook.url, "a secret") as sink:
        sink.put([event(1, "Zoë")])
        ((headers, body),) = hook.taken
    assert headers["webhook-id"] == headers["idempotency-key"] == event(1).id
    assert json.loads(body)["person"] == "Zoë"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 3600
    signed = f"{event(1).id}.{headers['webhook-timestamp']}.".encode() + body
    made = base64.b64encode(hmac.new(b"a secret", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{made}"
    # the example of the specification
    assert (
        signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
            b'{"test": 2432232314}',
        )
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )  # fmt: skip
    with receiver() as hook, WebhookSink(hook.url) as sink:
        sink.put([event(1)])
        assert hook.taken[0][0]["webhook-signature"] is None


@pytest.mark.parametrize("status", [301, 302, 307, 308, 401, 404, 500])
def test_another_answer_takes_nothing_and_no_redirect_is_followed(status: int) -> None:
    with receiver() as hook, WebhookSink(hook.url, "a secret") as sink:
        hook.answers = status
        with pytest.raises(SinkError, match=f"answers {status}") as refused:
            sink.put([event(1)])
        assert refused.value.again
        assert hook.asked == 1
        hook.answers = 200
        sink.put([event(1)])
        assert len(hook.taken) == 1


def test_an_event_that_is_refused_for_itself_is_set_aside_and_the_next_goes_on(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    with receiver() as hook:
        hook.answers = 422
        with Outbox(WebhookSink(hook.url), tmp_path / "o", said.append, QUICK) as box:
            box.put([event(1)])
            while not said:
                time.sleep(0.01)
            hook.answers = 200
            box.put([event(2)])
        assert [json.loads(body)["visit"] for _, body in hook.taken] == [2]
    assert said[0].endswith("answers 422. That one is set aside.")


def test_no_secret_is_told(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    address = f"http://me:hush@127.0.0.1:{port}/in?token=hush"
    with caplog.at_level(logging.DEBUG), WebhookSink(address, "hush") as sink:
        assert sink.name == f"http://127.0.0.1:{port}/in"
        with pytest.raises(SinkError, match="cannot be reached: ConnectError") as away:
            sink.put([event(1)])
        with receiver(port=port) as hook:
            sink.put([event(1)])
            assert hook.taken[0][0]["authorization"].startswith("Basic ")
    assert "hush" not in caplog.text + str(away.value) + repr(away.value)
    assert away.value.__suppress_context__


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("ftp://h/x", ""),
        ("h/x", ""),
        ("https://", ""),
        ("http://h:x/", ""),
        ("https://h", "whsec_hush!"),
    ],
)
def test_an_address_or_secret_that_is_none_is_refused(address: str, secret: str) -> None:
    with pytest.raises(ConfigError) as refused:
        WebhookSink(address, secret)
    assert "hush" not in str(refused.value)


def test_what_waits_outlives_the_process_and_is_passed_on_by_the_next(tmp_path: Path) -> None:
    said: list[str] = []
    with Outbox(Away(), tmp_path / "o", said.append, Pauses(0.01, 0.01, 0.1)) as box:
        box.put([event(n) for n in range(4)])
        assert box.waiting() == 4
    assert said == [
        "away is away. Events for away wait.",
        "4 events could not be passed on to away: what is left waits in its outbox.",
    ]
    with receiver() as hook:
        sink = WebhookSink(hook.url)
        sink.name = "away"
        with Outbox(sink, tmp_path / "o", pauses=QUICK) as box:
            box.put([event(9)])
        assert [json.loads(body)["visit"] for _, body in hook.taken] == [0, 1, 2, 3, 9]
        with Outbox(sink, tmp_path / "o", pauses=QUICK) as box:
            box.put([event(n) for n in (3, 9)])
        assert len(hook.taken) == 5
    assert b"Ada" not in (tmp_path / "o").read_bytes(), "what was passed on is not kept"


def test_a_camera_never_waits_for_a_receiver_that_does_not_answer() -> None:
    reached = threading.Event()
    let_go = threading.Event()

    class Slow(Away):
        def put(self, events: Sequence[Event]) -> None:
            reached.set()
            let_go.wait()

    box = Outbox(Slow(), pauses=QUICK)
    box.put([event(1)])
    assert reached.wait(60)
    for number in range(2, 500):
        box.put([event(number)])
    assert box.waiting() == 499
    let_go.set()
    box.close()
    assert box.waiting() == 0


def test_in_memory_the_oldest_are_dropped_and_that_is_said() -> None:
    said: list[str] = []
    with Outbox(Away(), None, said.append, Pauses(100, 100, 0.1)) as box:
        box.put([event(n) for n in range(10_005)])
        assert box.waiting() == 10_000
    assert "5 events for away had to be dropped: too many wait." in said
    assert "10,000 events could not be passed on to away: that is lost." in said


@pytest.mark.parametrize("kept", [False, True])
def test_a_person_is_taken_out_of_what_waits(tmp_path: Path, kept: bool) -> None:
    path = tmp_path / "o" if kept else None
    with Outbox(Away(), path, pauses=Pauses(100, 100, 0.1)) as box:
        box.put([event(1), event(2, "Bob"), event(3, None, reason="nearest is Ada")])
        assert box.forget("Ada") == 2
        assert box.waiting() == 2
    if path:
        assert b"Ada" not in path.read_bytes()


KILLED = (
    """
from datetime import UTC, datetime
from pathlib import Path
from facelign.types.events import Event, EventKind, event_id
from facelign.video.sinks.jsonl import JsonlLog
from facelign.video.sinks.outbox import Outbox, Pauses
from facelign.video.sinks.webhook import WebhookSink
from facelign.video.telling import Telling
""",
    """
folder = Path(words[0])
box = Outbox(WebhookSink(words[1]), folder / "e.outbox", pauses=Pauses(0.01, 0.05))
with Telling([JsonlLog(folder / "e.jsonl")], lambda e: tell(e.id), [box]) as telling:
    for number in range(100_000):
        now = datetime.now(UTC)
        key = event_id("door", now, EventKind.LEFT, number)
        telling.tell([Event(key, EventKind.LEFT, "door", now, number, "Ada")])
""",
)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_after_kill_9_all_that_was_told_is_logged_once_and_all_that_is_logged_arrives(
    tmp_path: Path,
) -> None:
    with receiver() as hook:
        told = killed(*KILLED, tmp_path, hook.url)
        log = JsonlLog(tmp_path / "e.jsonl")
        box = Outbox(WebhookSink(hook.url), tmp_path / "e.outbox", pauses=QUICK)
        with Telling([log], None, [box]):
            while box.waiting():
                time.sleep(0.01)
        kept = [one.id for one in log.newest()][::-1]
        arrived = [json.loads(body)["id"] for _, body in hook.taken]
    assert len(told) >= RUNS
    assert len(kept) == len(set(kept))
    assert [key for key in kept if key in set(told)] == told
    assert set(arrived) == set(kept)
    # a kill between the answer and the note of it: told again, with the same id
    assert len(arrived) - len(set(arrived)) <= RUNS
