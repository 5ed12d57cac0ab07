"""Events at a real broker: states, discovery, the last will, restarts, and what is forgotten."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from video_parts import needed

needed("paho", "mosquitto")

from brokers import Broker, Listener
from facelign.errors import ConfigError, SinkError
from facelign.types.events import Event, EventKind, event_id
from facelign.video.sinks.mqtt import MqttSink, slug
from facelign.video.sinks.outbox import Outbox, Pauses

START = datetime(2026, 11, 28, 8, 0, tzinfo=UTC)


def event(kind: str, second: int, visit: int | None = 1, person: str | None = None) -> Event:
    time = START + timedelta(seconds=second)
    word = EventKind(kind)
    return Event(event_id("door", time, word, visit), word, "door", time, visit, person, 0.6)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    made = Listener(broker.port)
    yield made
    made.close()


def test_who_is_in_view_is_told_as_states(broker: Broker, listener: Listener) -> None:
    def states() -> list[Any]:
        told = listener.state()
        ada = json.loads(told.get("facelign/person/ada_37f6086c", "{}"))
        last = json.loads(told.get("facelign/camera/door/person", "{}"))
        base = "facelign/camera/door"
        camera = [told[f"{base}/occupied"], told[f"{base}/connected"]]
        return [*camera, last.get("person"), ada.get("state")]

    assert slug("Ada") == "ada_37f6086c"
    with MqttSink(broker.address, ["door"]) as sink:
        sink.put([event("appeared", 0)])
        assert states() == ["ON", "ON", None, None]
        sink.put([event("recognized", 1, 1, "Ada"), event("appeared", 2, 2)])
        assert states() == ["ON", "ON", "Ada", "ON"]
        sink.put([event("left", 3, 1, "Ada")])
        assert states() == ["ON", "ON", "Ada", "OFF"]
        sink.put([event("recognized", 4, 2, "Ada"), event("revoked", 5, 2, "Ada")])
        assert states() == ["ON", "ON", "Ada", "OFF"]
        sink.put([event("left", 6, 2), event("camera-lost", 7, None)])
        assert states() == ["OFF", "OFF", "Ada", "OFF"]
        sink.put([event("camera-back", 8, None)])
        assert states() == ["OFF", "ON", "Ada", "OFF"]
        assert listener.state()["facelign/status"] == "online"
    assert listener.state()["facelign/status"] == "offline"
    kinds = [record["event"] for record in listener.events()]
    assert kinds == [
        "appeared", "recognized", "appeared", "left", "recognized", "revoked", "left",
        "camera-lost", "camera-back",
    ]  # fmt: skip


def test_home_assistant_finds_cameras_and_people_by_itself(broker: Broker) -> None:
    with MqttSink(f"{broker.address}/front house", ["door"], ["Zoë"]) as sink:
        sink.put([event("recognized", 1, 1, "Ada")])
    listener = Listener(broker.port)  # who comes later finds what is retained
    told = listener.state()
    listener.close()
    configs = {topic: json.loads(text) for topic, text in told.items() if topic.endswith("/config")}
    assert len(configs) == 5
    assert len({config["unique_id"] for config in configs.values()}) == 5
    for topic, config in configs.items():
        kind = topic.split("/")[1]
        assert topic == f"homeassistant/{kind}/{config['unique_id']}/config"
        assert config["availability_topic"] == "front house/status"
        assert config["device"]["identifiers"]
        if not topic.endswith("_person/config"):
            assert config["state_topic"] in told
    named = {config["name"]: kind.split("/")[1] for kind, config in configs.items()}
    assert named == {
        "Last person": "sensor", "Somebody in view": "binary_sensor", "Pictures": "binary_sensor",
        "Ada": "binary_sensor", "Zoë": "binary_sensor",
    }  # fmt: skip
    assert not any(topic.endswith("/event") for topic in told), "events are not retained"


KILLED = """
import sys
from datetime import UTC, datetime
from facelign.types.events import Event, EventKind
from facelign.video.sinks.mqtt import MqttSink
sink = MqttSink(sys.argv[1], ["door"])
now = datetime.now(UTC)
sink.put([Event("1" * 32, EventKind.APPEARED, "door", now, 1)])
sink.put([Event("2" * 32, EventKind.RECOGNIZED, "door", now, 1, "Ada")])
print("put", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_process_that_was_killed_is_offline_and_leaves_nobody_in_view(
    broker: Broker, listener: Listener
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, broker.address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"put\n"
        killed.send_signal(signal.SIGKILL)
    listener.wait("facelign/status", "offline")
    ada = f"facelign/person/{slug('Ada')}"
    assert json.loads(listener.state()[ada])["state"] == "ON"
    with MqttSink(broker.address, ["door"]) as sink:
        sink.put([event("appeared", 9, 3)])
        listener.wait(
            ada, json.dumps({"state": "OFF", "person": "Ada", "camera": None, "time": None})
        )
        assert listener.state()["facelign/status"] == "online"


def test_a_broker_that_is_restarted_gets_all_events_and_states(
    broker: Broker, tmp_path: Path
) -> None:
    said: list[str] = []
    with Outbox(
        MqttSink(broker.address, timeout_s=1.0),
        tmp_path / "o",
        said.append,
        Pauses(0.05, 0.2, 30.0),
    ) as box:
        box.put([event("appeared", 0), event("recognized", 1, 1, "Ada")])
        while box.waiting():
            pass
        broker.stop()
        box.put([event("left", 2, 1, "Ada"), event("appeared", 3, 2)])
        while not said:
            pass
        broker.start()
        listener = Listener(broker.port)
    assert [record["event"] for record in listener.events()][-2:] == ["left", "appeared"]
    told = listener.state()
    assert json.loads(told[f"facelign/person/{slug('Ada')}"])["state"] == "OFF"
    assert told["facelign/camera/door/occupied"] == "ON"
    listener.close()
    assert len(said) == 2
    assert said[0].endswith(f"Events for mqtt://127.0.0.1:{broker.port}/facelign wait.")


def test_home_assistant_that_starts_again_is_told_again(broker: Broker, listener: Listener) -> None:
    with MqttSink(broker.address, ["door"]) as sink:
        sink.put([event("recognized", 0, 1, "Ada")])
        listener.settle()
        listener.heard.clear()
        sink._client.publish("homeassistant/status", "online", qos=1)
        listener.wait("facelign/status", "online")
        assert sum(topic.endswith("/config") for topic, _ in listener.heard) == 4


def test_a_person_is_taken_out_of_what_the_broker_keeps(broker: Broker) -> None:
    with MqttSink(broker.address, ["door"]) as sink:
        sink.put([event("recognized", 0, 1, "Ada")])
    with MqttSink(broker.address) as sink:  # the command that removes people knows no cameras
        assert sink.forget("Ada") == 1
    listener = Listener(broker.port)
    told = listener.state()
    listener.close()
    assert not any("Ada" in text for text in told.values())
    assert f"facelign/person/{slug('Ada')}" not in told
    assert json.loads(told["facelign/camera/door/person"])["person"] is None


def test_a_wrong_password_is_told_and_never_shown(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "cam:ri/ght")
    broker.start()
    wrong = MqttSink(broker.address.replace("ri/ght", "hush"), timeout_s=3)
    with (
        wrong,
        pytest.raises(SinkError, match=r"reached: (not authorized|bad user)") as no,
    ):
        wrong.put([event("appeared", 0)])
    assert "hush" not in str(no.value) + wrong.name
    with MqttSink(broker.address.replace("ri/ght", "ri%2Fght")) as right:
        right.put([event("appeared", 0)])
    broker.stop()
    nobody = MqttSink(broker.address.replace("ri/ght", "hush"), timeout_s=1)
    with nobody, pytest.raises(SinkError, match="nobody listens there"):
        nobody.put([event("appeared", 0)])


@pytest.mark.parametrize(
    "address",
    ["http://h", "mqtt://", "mqtt://h:x", "mqtt://h/a#", "mqtt://h/a+", "mqtt://u:a#b@h", "h"],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="address of the broker"):
        MqttSink(address)


def test_names_become_levels_of_topics_that_differ() -> None:
    names = ["ada", "Ada", "ADA", "Zoë", "Zo", "a+b/#", "", "_", "東京", "大阪"]
    made = [slug(name) for name in names]
    assert len(set(made)) == len(names)
    assert made[0] == "ada"
    assert all(word.replace("_", "a").isalnum() and word.isascii() for word in made if word)
