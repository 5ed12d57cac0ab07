"""A real MQTT broker, which a test starts, freezes and stops, and who listens to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from video_parts import mosquitto


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Broker:
    """mosquitto at a port of its own; what it retains lasts over a restart. user: who may come."""

    def __init__(self, folder: Path, user: str = "") -> None:
        self.port = free_port()
        self.address = f"mqtt://{user + '@' if user else ''}127.0.0.1:{self.port}"
        self._settings = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "persistence true"]
        lines += [f"persistence_location {folder}/", f"allow_anonymous {str(not user).lower()}"]
        if user:
            name, _, word = user.partition(":")
            secrets = folder / "passwords"
            secrets.write_text(f"{name}:{word}\n")
            subprocess.run(["mosquitto_passwd", "-U", str(secrets)], check=True)
            lines.append(f"password_file {secrets}")
        if os.getuid() == 0:
            lines.append("user root")
        self._settings.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = mosquitto()
        assert program is not None
        self._process = subprocess.Popen(
            [program, "-c", str(self._settings)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(1500):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, "mosquitto ended at once"
            time.sleep(0.02)
        raise AssertionError("mosquitto does not answer")

    def stop(self) -> None:
        """End it; what it retains is written down."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop it for the time of the block, without ending a connection."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


class Listener:
    """Hears all that a broker has to say, what is retained first."""

    def __init__(self, port: int, name: str = "", word: str = "") -> None:
        from paho.mqtt.client import CallbackAPIVersion, Client

        self.heard: list[tuple[str, str]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        if name:
            self._client.username_pw_set(name, word)
        ready = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _, __, m: self.heard.append((m.topic, m.payload.decode()))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(60)

    def settle(self) -> None:
        """Wait until all that was said before is heard."""
        mark = os.urandom(8).hex()
        self._client.publish("mark", mark, qos=1)
        self.wait("mark", mark)

    def wait(self, topic: str, payload: str) -> None:
        """Wait until something was said."""
        for _ in range(6000):
            if (topic, payload) in self.heard:
                return
            time.sleep(0.01)
        raise AssertionError(f"{topic} never said {payload}: {self.heard[-20:]}")

    def events(self) -> list[dict[str, Any]]:
        """Return the events, in order, each once: what is sent twice has the same id."""
        self.settle()
        records = [json.loads(text) for topic, text in self.heard if topic.endswith("/event")]
        return list({record["id"]: record for record in records}.values())

    def state(self) -> dict[str, str]:
        """Return what was said last by topic."""
        self.settle()
        return dict(self.heard)

    def close(self) -> None:
        """Hear no more."""
        self._client.disconnect()
        self._client.loop_stop()
