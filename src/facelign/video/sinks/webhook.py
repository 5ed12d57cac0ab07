"""Events to a web address: one POST an event, signed, with an id that makes doubles harmless.

Headers and signature are those of Standard Webhooks (standardwebhooks.com, specification 1.0.0),
so that receivers find a library that checks them: ``webhook-id`` is the event's id,
``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``.
``Idempotency-Key`` says the id once more, as draft-ietf-httpapi-idempotency-key-header names it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from facelign._version import __version__
from facelign.errors import ConfigError, SinkError
from facelign.types.contracts import EventSink
from facelign.types.events import Event
from facelign.video.sinks.recent import RecentIds
from facelign.wire.printable import json_line
from facelign.wire.records import event_record

#: answers that say that this very event is not wanted: the same again would be refused again
_REFUSED = frozenset({400, 413, 422})
_PREFIX = "whsec_"


def signature(secret: str, key: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``: ``v1,`` and base64 of an HMAC-SHA256.

    secret: ``whsec_`` and base64, or any text, whose UTF-8 bytes are the key then. key: id of the
    event. timestamp: seconds since 1970.
    """
    signed = f"{key}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as problem:
        raise ConfigError(
            "The secret of the webhook begins with whsec_, but no base64 follows.",
            "Give it as the receiver made it.",
        ) from problem


class WebhookSink(EventSink):
    """Posts events to an address. secret: signs them; "" leaves the signature out.

    An answer of 2xx takes an event. No redirect is followed: a signed event goes where it was
    meant to, or nowhere. Address and secret reach no log and no error; ``name`` has neither a
    password nor what follows a question mark.
    """

    def __init__(self, address: str, secret: str = "", timeout_s: float = 10.0) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                "The address of the webhook is none of the web.", "Give https://HOST/PATH."
            )
        try:
            port = f":{parts.port}" if parts.port else ""
            self._address = httpx.URL(address)
        except (ValueError, httpx.InvalidURL) as problem:
            raise ConfigError(
                "The address of the webhook cannot be read.", "Give https://HOST/PATH."
            ) from problem
        self.name = f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
        self._secret = secret
        _key(secret)
        self._recent = RecentIds()
        for logger in ("httpx", "httpcore"):  # they write whole addresses, tokens and all
            logging.getLogger(logger).setLevel(logging.WARNING)
        headers = {"User-Agent": f"facelign/{__version__}", "Content-Type": "application/json"}
        self._client = httpx.Client(timeout=timeout_s, headers=headers, follow_redirects=False)

    def put(self, events: Sequence[Event]) -> None:
        """Post events, one after the other; see types.contracts.EventSink."""
        for event in self._recent.new(events):
            self._post(event)
            self._recent.add([event.id])

    def close(self) -> None:
        """Let connections go."""
        self._client.close()

    def _post(self, event: Event) -> None:
        body = json_line(event_record(event)).strip().encode("utf-8", "backslashreplace")
        timestamp = int(time.time())
        headers = {"webhook-id": event.id, "Idempotency-Key": event.id}
        headers["webhook-timestamp"] = str(timestamp)
        if self._secret:
            headers["webhook-signature"] = signature(self._secret, event.id, timestamp, body)
        try:
            request = self._client.stream("POST", self._address, content=body, headers=headers)
            with request as answer:  # what it says is not read: it may be endless
                status = answer.status_code
        except httpx.HTTPError as problem:
            raise SinkError(
                f"{self.name} cannot be reached: {type(problem).__name__}.",
                "Check the address and the connection; it is tried again.",
            ) from None  # the chain would tell the address
        if not 200 <= status < 300:
            leads = " and leads elsewhere" if 300 <= status < 400 else ""
            raise SinkError(
                f"{self.name} answers {status}{leads}.",
                "Check what receives the events.",
                again=status not in _REFUSED,
            )
