"""What py-amqp and kombu do with the properties of a message before anybody sees it, made safe for this process.

py-amqp 5 decodes the properties while it reads a frame: a text that is not UTF-8, a time beyond the year 9999 or tables deep within each
other raise there, in the event loop of a worker, and again with every delivery. It decodes a body by the encoding that the message
names, and kombu unpacks a body by the compression that a header names: both may take hours, or all memory, for a small message.
"""

from typing import Any

from amqp import serialization
from amqp.spec import Basic
from kombu import compression

from chassis.envelope import ENCODINGS, UNREADABLE

REFUSED_ENCODING = "-chassis-refused:"
"""Put before the name of an encoding by which no body is decoded."""


def read_any() -> None:
    """From now on every message can be read, by this process and its children. Safe to repeat."""
    serialization.PROPERTY_CLASSES[Basic.CLASS_ID] = _properties
    refuse_compression()


def refuse_compression() -> None:
    """From now on no body is unpacked; whoever compressed it is told so by the record of what was parked."""
    for name in compression.encoders():
        compression.register(compression.get_encoder(name)[0], _refuse, name)


def _properties(buffer: Any, offset: int) -> tuple[dict[str, Any], int]:
    try:
        properties, end = serialization.decode_properties_basic(buffer, offset)
    except Exception:  # noqa: BLE001 - in whatever way they are broken
        return {"application_headers": {UNREADABLE: bytes(buffer[offset:])}}, len(buffer)
    encoding = properties.get("content_encoding")
    if encoding is not None and encoding.lower() not in ENCODINGS:
        properties["content_encoding"] = f"{REFUSED_ENCODING}{encoding}"
    return properties, end


def _refuse(body: Any) -> Any:
    raise ValueError("no compressed body is read")
