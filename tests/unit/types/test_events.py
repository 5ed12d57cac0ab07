"""Events: their time, their id, and their record, which reads back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import DatasetMalformed
from facelign.types.events import Event, EventKind, event_id
from facelign.wire import values
from facelign.wire.records import event_record

NOON = datetime(2026, 11, 28, 12, 0, 0, 123_456, UTC)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
maybe = st.one_of(st.none(), words)


@st.composite
def happened(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(EventKind))
    time = draw(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
    time = time.replace(microsecond=time.microsecond // 1000 * 1000)
    visit = draw(st.one_of(st.none(), st.integers(1, 9999)))
    share = st.one_of(st.none(), st.integers(-1000, 1000).map(lambda n: n / 1000))
    return Event(
        event_id("door", time, kind, visit), kind, draw(words), time, visit, draw(maybe),
        draw(share), draw(share), draw(st.one_of(st.none(), st.integers(0, 99))),
        draw(st.one_of(st.none(), st.integers(0, 4000).map(lambda n: n / 10))), draw(words),
        draw(maybe), draw(words), draw(share), draw(share), draw(st.sampled_from([None, time])),
    )  # fmt: skip


@given(happened())
def test_an_event_read_back_from_its_record_is_the_same(event: Event) -> None:
    record = json.loads(json.dumps(event_record(event)))
    assert values.event(record) == event
    assert list(record)[:3] == ["event", "camera", "time"]


def test_the_time_of_an_event_is_told_in_utc_by_the_millisecond() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=-5)))
    event = Event(event_id("door", there, EventKind.LEFT, 3), EventKind.LEFT, "door", there, 3)
    assert event_record(event)["time"] == "2026-11-28T12:00:00.123+00:00"
    assert event.id == event_id("door", NOON, EventKind.LEFT, 3)
    with pytest.raises(ValueError, match="time zone"):
        replace(event, time=datetime(2026, 11, 28))


def test_ids_tell_events_apart() -> None:
    made = {
        event_id(camera, NOON + timedelta(microseconds=later), kind, visit)
        for camera in ("door", "yard")
        for later in (0, 1)
        for kind in EventKind
        for visit in (None, 1, 2)
    }
    assert len(made) == 2 * 2 * len(EventKind) * 3
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in made)


def test_a_record_of_an_earlier_version_lacks_fields_and_is_read() -> None:
    whole = event_record(Event("1" * 32, EventKind.UNKNOWN, "door", NOON))
    short = {key: whole[key] for key in ("event", "camera", "time", "id")}
    assert values.event(short | {"of": "a later one"}).kind is EventKind.UNKNOWN


@pytest.mark.parametrize(
    "change", [{"event": "danced"}, {"time": "noon"}, {"time": "2026-11-28"}, {"camera": None}]
)
def test_what_is_no_event_is_refused(change: dict[str, object]) -> None:
    record = event_record(Event("1" * 32, EventKind.UNKNOWN, "door", NOON)) | change
    if change.get("camera", "") is None:
        del record["camera"]
    with pytest.raises(DatasetMalformed, match="no record of an event"):
        values.event(record)
