"""Events to an MQTT broker, with what Home Assistant needs to find them by itself.

Topics under ``PREFIX`` (``facelign``); all but the events are retained, so that who comes later
knows how things stand::

    PREFIX/status                    online, or offline: the last will of a process that died
    PREFIX/camera/CAMERA/event       every event as JSON, with its id
    PREFIX/camera/CAMERA/person      who was recognized last: {"person", "score", "time"}
    PREFIX/camera/CAMERA/occupied    ON while somebody is in view
    PREFIX/camera/CAMERA/connected   OFF while no pictures come
    PREFIX/person/PERSON             {"state": "ON" while in view, "person", "camera", "time"}

Quality of service is 1: what ``put`` has returned for was acknowledged by the broker, and a message
may arrive twice after a broken connection, with the same id. Discovery is that of Home Assistant
(home-assistant.io/integrations/mqtt, "MQTT discovery").
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from facelign._version import __version__
from facelign.errors import ConfigError, ExtraMissing, SinkError
from facelign.types.contracts import EventSink
from facelign.types.events import Event, EventKind
from facelign.video.sinks.recent import RecentIds
from facelign.wire.printable import json_line
from facelign.wire.records import event_record

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo

#: seconds between signs of life; a broker that hears none for half as long again tells the will
_KEEP_ALIVE_S = 30
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_ON = {True: "ON", False: "OFF"}

#: a topic, its payload ("" takes a retained one away), and whether it is retained
_Message = tuple[str, str, bool]


def slug(name: str) -> str:
    """Return a name as a level of a topic: a-z, 0-9 and _, of other names with a digest."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if plain == name:
        return plain
    return f"{plain}_{blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}"


class MqttSink(EventSink):
    """Publishes events. address: ``mqtt://[USER:PASSWORD@]HOST[:PORT][/PREFIX]``, or ``mqtts``.

    cameras, people: what Home Assistant is told of at once; others follow with their first event.
    timeout_s: how long a connection, or the broker's word, is waited for. It connects by itself,
    again and again. Two processes need two prefixes. Raises ExtraMissing.
    """

    def __init__(
        self,
        address: str,
        cameras: Sequence[str] = (),
        people: Sequence[str] = (),
        *,
        discovery: str = "homeassistant",
        timeout_s: float = 10.0,
    ) -> None:
        parts = urlsplit(address)
        try:
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            port = 0
        prefix = parts.path.strip("/") or "facelign"
        odd = set("?#") & set(address) or "+" in prefix
        if not port or not parts.hostname or odd:
            raise ConfigError(
                "The address of the broker cannot be read.",
                "Give mqtt://HOST or mqtt://HOST/PREFIX; signs of a password as %23.",
            )
        self.name = f"{parts.scheme}://{parts.hostname}:{port}/{prefix}"
        self._prefix, self._discovery, self._timeout_s = prefix, discovery, timeout_s
        self._house = _House(prefix, discovery, cameras, people)
        self._recent = RecentIds()
        self._flying: dict[str, list[MQTTMessageInfo]] = {}
        self._guard = threading.Lock()
        self._up, self._heard = threading.Event(), threading.Event()
        self._why = "no answer yet"
        self._named: dict[str, str] = {}
        self._nonce = os.urandom(8).hex()
        self._closed = False
        self._client = self._made(parts.scheme == "mqtts")
        if parts.username is not None:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        self._client.connect_async(parts.hostname, port, keepalive=_KEEP_ALIVE_S)
        self._client.loop_start()

    def _made(self, secure: bool) -> Client:
        try:
            from paho.mqtt.client import CallbackAPIVersion, Client
        except ImportError as problem:
            raise ExtraMissing(
                "MQTT needs paho-mqtt, which is not installed.",
                "Run: pip install 'facelign[video]'",
            ) from problem
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"facelign-{self._nonce}")
        client.will_set(f"{self._prefix}/status", "offline", qos=1, retain=True)
        client.reconnect_delay_set(1, 30)
        if secure:
            client.tls_set()
        client.on_connect = self._connected
        client.on_connect_fail = self._not_connected
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        return client

    # -- the sink --------------------------------------------------------------------------------

    def put(self, events: Sequence[Event]) -> None:
        """Publish events and wait for the broker's word; see types.contracts.EventSink."""
        for event in self._recent.new(events):
            if event.id not in self._flying:
                self._await_connection()
                topic = f"{self._prefix}/camera/{slug(event.camera)}/event"
                with self._guard:
                    messages = [
                        (topic, _json(event_record(event)), False),
                        *self._house.step(event),
                    ]
                self._flying[event.id] = self._publish(messages)
            # what was not acknowledged in time stays with the client, which sends it again
            self._await_word(self._flying[event.id])
            del self._flying[event.id]
            self._recent.add([event.id])

    def forget(self, person: str) -> int:
        """Take away what the broker keeps about a person; it counts as one event."""
        self._await_connection()
        self._heard.clear()
        self._client.publish(f"{self._prefix}/sync/{self._nonce}", "retained comes first", qos=1)
        if not self._heard.wait(self._timeout_s):
            raise SinkError(f"{self.name} does not answer.", "Check the broker.")
        with self._guard:
            messages = self._house.forgotten(person)
            nobody = _json({"person": None, "score": None, "time": None})
            messages += [(t, nobody, True) for t, named in self._named.items() if named == person]
        self._await_word(self._publish(messages))
        return 1

    def close(self) -> None:
        """Say goodbye, if the broker is there, and let the connection go."""
        if self._closed:
            return
        self._closed = True
        if self._up.is_set():
            bye = self._publish([(f"{self._prefix}/status", "offline", True)])
            with suppress(SinkError):
                self._await_word(bye, min(self._timeout_s, 2.0))
        self._client.disconnect()
        self._client.loop_stop()

    def _await_connection(self) -> None:
        if not self._up.wait(self._timeout_s):
            raise SinkError(
                f"{self.name} cannot be reached: {self._why}.",
                "Check the broker, the user and the password; it is tried again.",
            )

    def _await_word(self, flying: list[MQTTMessageInfo], timeout_s: float | None = None) -> None:
        deadline = time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        for info in flying:
            info.rc = type(info.rc)(0)  # "no connection" was true then: it was queued all the same
            info.wait_for_publish(max(0.01, deadline - time.monotonic()))
            if not info.is_published():
                raise SinkError(f"{self.name} acknowledges nothing.", "Check the broker.")

    def _publish(self, messages: Sequence[_Message]) -> list[MQTTMessageInfo]:
        return [
            self._client.publish(topic, payload, qos=1, retain=retain)
            for topic, payload, retain in messages
        ]

    # -- called by the thread of the connection --------------------------------------------------

    def _connected(self, _: object, __: object, ___: object, code: Any, ____: object) -> None:
        if code.is_failure:
            self._why = str(code).lower()
            return
        prefix = self._prefix
        mine = (f"{prefix}/person/+", f"{prefix}/camera/+/person", f"{prefix}/sync/{self._nonce}")
        self._client.subscribe([(t, 1) for t in (*mine, f"{self._discovery}/status")])
        self._announce()
        self._up.set()

    def _not_connected(self, _: object, __: object) -> None:
        self._why = "nobody listens there"

    def _disconnected(self, _: object, __: object, ___: object, code: Any, ____: object) -> None:
        if self._up.is_set():  # else it was refused, for the reason that was told
            self._up.clear()
            self._why = str(code).lower()

    def _message(self, _: object, __: object, message: MQTTMessage) -> None:
        topic = message.topic
        if topic.startswith(f"{self._prefix}/sync/"):
            self._heard.set()
        elif topic == f"{self._discovery}/status":
            if message.payload == b"online":  # Home Assistant was started again
                self._announce()
        else:
            self._learn(topic, message)

    def _learn(self, topic: str, message: MQTTMessage) -> None:
        """Note what the broker keeps; somebody whom a killed process left in view is not."""
        try:
            kept = json.loads(message.payload)
            person, on = kept["person"], kept.get("state") == "ON"
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return
        if not isinstance(person, str):
            return
        if topic.startswith(f"{self._prefix}/camera/"):
            self._named[topic] = person
        elif on and message.retain:
            with self._guard:
                gone = [] if self._house.sees(person) else [self._house.person_state(person)]
            self._publish(gone)

    def _announce(self) -> None:
        with self._guard:
            messages = self._house.all()
        self._publish([*messages, (f"{self._prefix}/status", "online", True)])


class _House:
    """What is retained at the broker: who is in view where, and how Home Assistant finds it."""

    def __init__(
        self, prefix: str, discovery: str, cameras: Sequence[str], people: Sequence[str]
    ) -> None:
        self._prefix, self._discovery = prefix, discovery
        self._id = slug(prefix)
        #: visits in view, and whether pictures come, by camera
        self._visits: dict[str, set[int]] = {camera: set() for camera in cameras}
        self._pictures: dict[str, bool] = dict.fromkeys(cameras, True)
        #: visits that bear a name, by person
        self._seen: dict[str, set[tuple[str, int]]] = {person: set() for person in people}
        self._last: dict[str, Event] = {}

    def step(self, event: Event) -> list[_Message]:
        """Return what is to be published for an event, beside it."""
        told: list[_Message] = []
        camera, kind = event.camera, event.kind
        if camera not in self._visits:
            self._visits[camera], self._pictures[camera] = set(), True
            told += self._of_camera(camera)
        if kind in (EventKind.CAMERA_LOST, EventKind.CAMERA_BACK):
            self._pictures[camera] = kind is EventKind.CAMERA_BACK
            return [*told, self._connected(camera)]
        if event.visit is None:
            return told
        visit = (camera, event.visit)
        if kind is EventKind.APPEARED:
            self._visits[camera].add(event.visit)
            return [*told, self._occupied(camera)]
        if kind is EventKind.RECOGNIZED and event.person is not None:
            return [*told, *self._recognized(event, event.person, visit)]
        if kind in (EventKind.LEFT, EventKind.REVOKED):
            for person, visits in self._seen.items():
                if visit in visits:
                    visits.discard(visit)
                    told.append(self.person_state(person))
        if kind is EventKind.LEFT:
            self._visits[camera].discard(event.visit)
            told.append(self._occupied(camera))
        return told

    def _recognized(self, event: Event, person: str, visit: tuple[str, int]) -> list[_Message]:
        told: list[_Message] = []
        if person not in self._seen:
            self._seen[person] = set()
            told.append(self._person_config(person))
        self._seen[person].add(visit)
        self._last[person] = event
        last = {"person": person, "score": event.score, "time": _time(event)}
        topic = f"{self._prefix}/camera/{slug(event.camera)}/person"
        return [*told, (topic, _json(last), True), self.person_state(person)]

    def sees(self, person: str) -> bool:
        """Say whether a person is in view."""
        return bool(self._seen.get(person))

    def all(self) -> list[_Message]:
        """Return everything that is retained, but who was recognized last."""
        told = [message for camera in self._visits for message in self._of_camera(camera)]
        for person in self._seen:
            told += [self._person_config(person), self.person_state(person)]
        return told

    def forgotten(self, person: str) -> list[_Message]:
        """Return what takes a person away."""
        self._seen.pop(person, None)
        self._last.pop(person, None)
        return [
            (self._person_config(person)[0], "", True),
            (self.person_state(person)[0], "", True),
        ]

    def person_state(self, person: str) -> _Message:
        """Return whether a person is in view, and where that one was seen last."""
        last = self._last.get(person)
        state: dict[str, Any] = {"state": _ON[self.sees(person)], "person": person}
        state |= {"camera": last and last.camera, "time": last and _time(last)}
        return f"{self._prefix}/person/{slug(person)}", _json(state), True

    def _occupied(self, camera: str) -> _Message:
        topic = f"{self._prefix}/camera/{slug(camera)}/occupied"
        return topic, _ON[bool(self._visits[camera])], True

    def _connected(self, camera: str) -> _Message:
        topic = f"{self._prefix}/camera/{slug(camera)}/connected"
        return topic, _ON[self._pictures[camera]], True

    # -- discovery -------------------------------------------------------------------------------

    def _of_camera(self, camera: str) -> list[_Message]:
        base = f"{self._prefix}/camera/{slug(camera)}"
        device = {"identifiers": [f"{self._id}_{slug(camera)}"], "name": f"Camera {camera}"}
        value = {"value_template": "{{ value_json.person or 'nobody' }}"}
        return [
            self._config(
                "sensor", f"{slug(camera)}_person", "Last person", f"{base}/person", device,
                json_attributes_topic=f"{base}/person", icon="mdi:face-recognition", **value,
            ),
            self._config(
                "binary_sensor", f"{slug(camera)}_occupied", "Somebody in view", f"{base}/occupied",
                device, device_class="occupancy",
            ),
            self._config(
                "binary_sensor", f"{slug(camera)}_connected", "Pictures", f"{base}/connected",
                device, device_class="connectivity",
            ),
            self._occupied(camera),
            self._connected(camera),
        ]  # fmt: skip

    def _person_config(self, person: str) -> _Message:
        topic = f"{self._prefix}/person/{slug(person)}"
        device = {"identifiers": [f"{self._id}_people"], "name": "People before cameras"}
        return self._config(
            "binary_sensor", f"person_{slug(person)}", person, topic, device,
            device_class="occupancy", value_template="{{ value_json.state }}",
            json_attributes_topic=topic,
        )  # fmt: skip

    def _config(
        self, kind: str, key: str, name: str, topic: str, device: dict[str, Any], **more: Any
    ) -> _Message:
        device |= {"manufacturer": "facelign", "sw_version": __version__}
        unique = f"{self._id}_{key}"
        config = {"name": name, "unique_id": unique, "state_topic": topic, "device": device}
        config["availability_topic"] = f"{self._prefix}/status"
        return f"{self._discovery}/{kind}/{unique}/config", _json(config | more), True


def _time(event: Event) -> str:
    return event.time.isoformat(timespec="milliseconds")


def _json(record: dict[str, Any]) -> str:
    text = json_line(record).strip()
    return text.encode("utf-8", "backslashreplace").decode()
