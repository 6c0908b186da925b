"""Does noise ever pass for a frame? `python -m tools.bench.link_noise [MILLIONS]`: ten millions by default.

Not part of `make bench`: it takes minutes. Each frame bears a session's tag and is damaged: 1 to 8 flipped
bits, or a burst, a lost or an inserted byte, half of them each. Whatever the decoder gives out that was not
sent is a false accept.
"""

from __future__ import annotations

import random
import sys

from host_link.framing import FrameDecoder, FrameReceived, encode_frame, session_tag

_TAG = session_tag("gateway", 1, 2)
_BATCH = 1000


def false_accepts(frame_count: int, seed: int) -> int:
    """How many of that many damaged frames were taken for others than were sent."""
    rng = random.Random(seed)
    decoder = FrameDecoder(_TAG)
    wrong = 0
    for _ in range(0, frame_count, _BATCH):
        bodies = {rng.randbytes(rng.randrange(2, 60)) for _ in range(_BATCH)}
        stream = b"".join(_damaged(encode_frame(body, _TAG), rng) for body in bodies)
        wrong += sum(
            event.body not in bodies
            for event in decoder.frames(stream + b"\x00")
            if isinstance(event, FrameReceived)
        )
    return wrong


def _damaged(frame: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(frame)
    at = int(rng.random() * len(frame))
    match int(rng.random() * 6):
        case 0:
            del damaged[at]
        case 1:
            damaged.insert(at, int(rng.random() * 256))
        case 2:
            damaged[at : at + 4] = rng.randbytes(len(damaged[at : at + 4]))
        case _:
            for _ in range(1 + int(rng.random() * 8)):
                at = int(rng.random() * len(frame))
                damaged[at] ^= 1 << int(rng.random() * 8)
    return bytes(damaged)


def main() -> int:
    """Count, print, and end with 1 if there was any."""
    count = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 10_000_000
    wrong = false_accepts(count, seed=1)
    print(f"{wrong} false accepts in {count:,} damaged frames")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
