"""Cuts AMI's byte stream into messages ("frames"), before anything is decoded.

Here: framing on bytes, within bounds. Not here: what a frame says (parse.py) and sockets
(protocol.py).

A frame is everything up to an empty line, without that empty line. The first line of a stream is
Asterisk's banner, which no empty line follows.
"""

FRAME_BYTES_MAX = 64 * 1024
"""The largest real message, the answer to ListCommands, has some 14 KB; a larger one is not AMI."""

BANNER_BYTES_MAX = 256
"""The real one, "Asterisk Call Manager/11.0.0", has 28 bytes."""

BANNER_START = b"Asterisk Call Manager/"

END = b"\r\n\r\n"


class Framer:
    """Takes bytes as they come, gives whole frames; any split of the bytes gives the same frames.

    A frame above FRAME_BYTES_MAX is thrown away up to its end, and the stream goes on.

    Attributes:
        banner: The first line; None until it is whole. Empty for a stream without one.
        oversized_count: Frames thrown away for their size.
    """

    def __init__(self, *, has_banner: bool = True) -> None:
        """Begin a stream.

        Args:
            has_banner: False for a stream that begins with a frame.
        """
        self.banner: bytes | None = None if has_banner else b""
        self.oversized_count = 0
        self._rest = b""
        self._is_skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the frames that these bytes complete, in order."""
        data = self._rest + data if self._rest else data
        if self.banner is None:
            data = self._take_banner(data)
            if self.banner is None:
                self._rest = data
                return []
        frames = data.split(END)
        self._rest = frames.pop()
        if self._is_skipping and frames:
            self._is_skipping = False
            del frames[0]
        if len(data) > FRAME_BYTES_MAX:
            frames = self._without_oversized(frames)
        return frames

    def _take_banner(self, data: bytes) -> bytes:
        """Return the bytes after the first line, once that is whole or too long to be a banner."""
        line, end, after = data.partition(b"\r\n")
        if end and len(line) <= BANNER_BYTES_MAX:
            self.banner = line
            return after
        if len(data) > BANNER_BYTES_MAX + len(b"\r\n"):
            self.banner = data[:BANNER_BYTES_MAX]
        return data

    def _without_oversized(self, frames: list[bytes]) -> list[bytes]:
        kept = [frame for frame in frames if len(frame) <= FRAME_BYTES_MAX]
        self.oversized_count += len(frames) - len(kept)
        # The last bytes are kept, for the end of the frame may lie across two reads.
        if len(self._rest) >= FRAME_BYTES_MAX + len(END):
            if not self._is_skipping:
                self._is_skipping = True
                self.oversized_count += 1
            self._rest = self._rest[-len(END) + 1 :]
        return kept


def event_name(frame: bytes) -> bytes | None:
    """Return the name of the event that a frame holds; None for an answer, or for garbage."""
    if not frame.startswith(b"Event: "):
        return None
    end = frame.find(b"\r", 7)
    return frame[7:end] if end > 0 else frame[7:]
