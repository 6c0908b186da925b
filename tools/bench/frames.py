"""The serial link's frames: bytes in and out, and noise."""

from __future__ import annotations

import random

from host_link.framing import FRAME_BODY_BYTES_MAX, FrameDecoder, encode_frame
from tools.bench.measure import Measurement, rate


def measure() -> list[Measurement]:
    """Frames encoded and decoded, and a stream of noise thrown away, in megabytes a second."""
    rng = random.Random(1)
    body = rng.randbytes(FRAME_BODY_BYTES_MAX)
    frames = encode_frame(body) * 16
    noise = rng.randbytes(len(frames))
    megabytes = len(frames) / 1e6
    return [
        rate("link frames encoded", lambda: encode_frame(body), unit="MB/s", amount=len(body) / 1e6),
        rate("link frames decoded", lambda: FrameDecoder().feed(frames), unit="MB/s", amount=megabytes),
        rate("link noise skipped", lambda: FrameDecoder().feed(noise), unit="MB/s", amount=megabytes),
    ]
