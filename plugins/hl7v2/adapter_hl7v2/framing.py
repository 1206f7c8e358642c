r"""MLLP frames out of a stream of bytes (HL7 Minimal Lower Layer Protocol, release 1).

A frame is 0x0B, the message, 0x1C 0x0D. Packets cut frames anywhere and join them; senders leave
the last byte out, or all of the end, or write something between frames. What can still be told
apart is read; what cannot is a `Frame` with a fault, so that it can be refused and is never lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

START = b"\x0b"
END = b"\x1c\r"

Fault = Literal["unterminated", "too-large", "unframed"]

_START, _STOP = 0x0B, 0x1C
_ENDS_BEFORE = b"\r\n"  # a stop byte after a segment end is an end, whatever follows it
_ENDS_AFTER = b"\r\x0b"  # so is one before the last byte of a frame or the first of the next
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Frame:
    """What stood in one frame.

    Attributes:
        data: the message; of a frame that is too large, its first 4 kB.
        fault: ``unterminated`` (the next frame, or the end of the stream, came before its end),
            ``too-large``, ``unframed`` (a message outside any frame), or None.
        size: bytes in the frame.
    """

    data: bytes = field(repr=False)
    fault: Fault | None = None
    size: int = 0


def frame(message: bytes) -> bytes:
    """A message in its frame."""
    return START + message + END


class Deframer:
    """Takes packets, gives frames. Linear in the bytes that it is fed; holds at most one frame.

    Attributes:
        stray: bytes seen outside frames, line ends apart.
        pending: bytes of a frame that has begun and not ended.
    """

    def __init__(self, max_size: int) -> None:
        self.stray = 0
        self._max = max_size
        self._buffer = bytearray()
        self._inside = False
        self._scanned = 0
        self._dropped = 0  # bytes of a frame that is too large
        self._outside = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a frame that has begun and not ended."""
        return len(self._buffer) + self._dropped if self._inside else 0

    def feed(self, packet: bytes) -> list[Frame]:
        """The frames that this packet completed, in order."""
        if not self._inside and not self._buffer and self._is_frame(packet):
            self._outside.clear()
            return [Frame(packet[1:-2], None, len(packet) - 3)]
        self._buffer += packet
        frames: list[Frame] = []
        while self._buffer:
            if not self._inside:
                if not self._enter():
                    break
                continue
            end = self._find_end()
            if end < 0:
                self._cap()
                break
            frames += self._take(end)
        return frames

    def close(self) -> list[Frame]:
        """What is left when the stream ends, or stays silent too long."""
        frames: list[Frame] = []
        if self.pending:
            frames = self._take(len(self._buffer), ended=False)
        elif self._outside.lstrip().startswith(b"MSH"):
            frames = [Frame(bytes(self._outside), "unframed", self.stray)]
        self._buffer.clear()
        self._outside.clear()
        self._inside = False
        return frames

    def _is_frame(self, packet: bytes) -> bool:
        """Whether a packet is one whole frame without any doubt, as most are."""
        return (
            packet.startswith(START)
            and packet.endswith(END)
            and len(packet) <= self._max + 3
            and packet.find(_STOP) == len(packet) - 2
            and packet.find(START, 1) < 0
        )

    def _enter(self) -> bool:
        """Skip to the start of the next frame; False if there is none yet."""
        start = self._buffer.find(_START)
        outside = self._buffer if start < 0 else self._buffer[:start]
        self.stray += len(outside.strip(b"\r\n"))
        if len(self._outside) < _HEAD:
            self._outside += outside[:_HEAD]
        if start < 0:
            self._buffer.clear()
            return False
        del self._buffer[: start + 1]
        self._outside.clear()
        self._inside, self._scanned, self._dropped = True, 0, 0
        return True

    def _find_end(self) -> int:
        buffer = self._buffer
        while True:
            stop = buffer.find(_STOP, self._scanned)
            if stop < 0:
                self._scanned = len(buffer)
                return -1
            after = buffer[stop + 1 : stop + 2]
            if (after and after in _ENDS_AFTER) or (stop and buffer[stop - 1] in _ENDS_BEFORE):
                return stop
            if not after:  # the next packet tells
                self._scanned = stop
                return -1
            self._scanned = stop + 1

    def _cap(self) -> None:
        """Keep the head and the last bytes of a frame that is too large, and count the rest."""
        if len(self._buffer) <= self._max + 1:
            return
        self._dropped += len(self._buffer) - _HEAD - 2
        del self._buffer[_HEAD:-2]
        self._scanned = _HEAD

    def _take(self, end: int, *, ended: bool = True) -> list[Frame]:
        content = bytes(memoryview(self._buffer)[:end])
        del self._buffer[: end + 1]
        size, self._dropped = len(content) + self._dropped, 0
        self._inside, self._scanned = False, 0
        if size > self._max:
            return [Frame(content[:_HEAD], "too-large", size)]
        # A start inside a frame that a message follows is the next frame: this one had no end.
        # A lone 0x0B is a character of some text.
        parts = content.split(START + b"MSH")
        messages = [parts[0], *(b"MSH" + part for part in parts[1:])]
        frames = [Frame(part, "unterminated", len(part)) for part in messages[:-1]]
        frames.append(Frame(messages[-1], None if ended else "unterminated", len(messages[-1])))
        return frames
