"""Takes secrets out of a build's events before they are appended (D-11), also where one is split between two events.

Pieces of one text share a channel; what may still become a secret is held back until its text goes on or ends.
"""

from collections.abc import Collection, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder_server.builds.redact import Redactor

# The kinds that carry a piece of a longer text in `text`, with what tells one text from another.
PIECES = {
    "text_delta": ("generation_id",),
    "thinking_delta": ("generation_id",),
    "file_delta": ("path",),
    "command_output": ("command_id", "channel"),
}
# The kinds after which a text goes on no more: what is held back of every text comes out before them.
ENDS = {
    "usage_recorded",
    "generation_voided",
    "file_written",
    "command_finished",
    "stage_finished",
    "build_succeeded",
    "build_partial",
    "build_failed",
    "build_cancelled",
}


class Scrubber:
    """Scrubs one build's events, in order.

    Args:
        secrets: The process's own: their exact values never pass.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        self._redactor = Redactor(secrets)
        # For each text of which something may be held back, its last piece: the form of what comes out at its end.
        self._open: dict[str, BuildEvent] = {}

    def scrub(self, event: BuildEvent) -> Iterator[BuildEvent]:
        """Yields what may be appended in place of `event`: itself without secrets, after what was held back."""
        kind = event.WhichOneof("kind") or ""
        if kind in PIECES:
            yield from self._piece(kind, event)
            return
        if kind in ENDS:
            yield from self.flush()
        self._redact_fields(event)
        yield event

    def flush(self) -> Iterator[BuildEvent]:
        """Yields what was held back of every text."""
        for channel, last in self._open.items():
            if rest := self._redactor.flush(channel):
                held = BuildEvent()
                held.CopyFrom(last)
                getattr(held, held.WhichOneof("kind") or "").text = rest
                yield held
        self._open.clear()

    def _piece(self, kind: str, event: BuildEvent) -> Iterator[BuildEvent]:
        piece = getattr(event, kind)
        channel = ":".join([kind, *(str(getattr(piece, name)) for name in PIECES[kind])])
        piece.text = self._redactor.feed(channel, piece.text)
        self._open[channel] = event
        if piece.text:
            yield event

    def _redact_fields(self, message: Message) -> None:
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                self._redact_messages(field, value)
            elif field.type == FieldDescriptor.TYPE_STRING and field.is_repeated:
                value[:] = [self._whole(text) for text in value]
            elif field.type == FieldDescriptor.TYPE_STRING:
                setattr(message, field.name, self._whole(value))

    def _redact_messages(self, field: FieldDescriptor, value: Any) -> None:
        assert field.message_type is not None
        if not field.message_type.full_name.startswith("google.protobuf."):
            for inner in value if field.is_repeated else [value]:
                self._redact_fields(inner)

    def _whole(self, text: str) -> str:
        return self._redactor.feed("", text) + self._redactor.flush("")
