"""Frames in and out beside a bare loop around `cobs` and `zlib.crc32`, and beside public codecs if installed.

Payloads of 128 random bytes, decoded from pieces of 64 bytes: what a serial port gives. Rounds of all codecs
take turns, so that whatever else the machine does disturbs all of them alike.
"""

from __future__ import annotations

import importlib
import random
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cobs import cobs
from serial.threaded import Packetizer

from host_link.framing import FrameDecoder, FrameReceived, encode_frame, session_tag
from tools.bench import measure as rounds
from tools.bench.link import numbers, references
from tools.bench.measure import Measurement

PAYLOAD_BYTES = 128
PIECE_BYTES = 64
_FRAMES = 64
_TAG = session_tag("terminal", 1, 2)

Feed = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Codec:
    """`encode` makes a frame of a payload; `decoder` gives a feed that appends payloads to the list.

    All are called with a tag, which is ours: so none is called through one more function than the others.
    """

    encode: Callable[[bytes, int], bytes]
    decoder: Callable[[list[bytes]], Feed]


def link() -> Codec:
    """Ours."""

    def decoder(out: list[bytes]) -> Feed:
        frames = FrameDecoder(_TAG).frames

        def feed(data: bytes) -> None:
            for event in frames(data):
                if type(event) is FrameReceived:
                    out.append(event.body)  # noqa: PERF401 - the loop is what is measured

        return feed

    return Codec(encode_frame, decoder)


def bare_loop() -> Codec:
    """What anybody would write around the two packages: pyserial's Packetizer, COBS and CRC-32."""

    class Loop(Packetizer):  # type: ignore[misc, unused-ignore]
        def __init__(self, out: list[bytes]) -> None:
            super().__init__()
            self._out = out

        def handle_packet(self, packet: bytes) -> None:
            try:
                frame = cobs.decode(bytes(packet))
            except cobs.DecodeError:
                return
            if len(frame) > 4 and zlib.crc32(frame[:-4]) == int.from_bytes(frame[-4:], "little"):
                self._out.append(frame[:-4])

    def encode(payload: bytes, _tag: int) -> bytes:
        stuffed: bytes = cobs.encode(payload + zlib.crc32(payload).to_bytes(4, "little"))
        return stuffed + b"\x00"

    return Codec(encode, lambda out: Loop(out).data_received)


def sliplib() -> Codec:
    """SLIP with a CRC-32. Raises ImportError when it is not installed."""
    module: Any = importlib.import_module("sliplib")

    def decoder(out: list[bytes]) -> Feed:
        driver = module.Driver()

        def feed(data: bytes) -> None:
            driver.receive(data)
            while frame := driver.get(block=False):
                if zlib.crc32(frame[:-4]) == int.from_bytes(frame[-4:], "little"):
                    out.append(frame[:-4])

        return feed

    def encode(payload: bytes, _tag: int) -> bytes:
        framed: bytes = module.Driver().send(payload + zlib.crc32(payload).to_bytes(4, "little"))
        return framed

    return Codec(encode, decoder)


def simplehdlc() -> Codec:
    """HDLC with a CRC-32. Raises ImportError when it is not installed."""
    module: Any = importlib.import_module("simplehdlc")

    def decoder(out: list[bytes]) -> Feed:
        feed: Feed = module.SimpleHDLC(out.append, max_len=4096).parse
        return feed

    def encode(payload: bytes, _tag: int) -> bytes:
        framed: bytes = module.SimpleHDLC.encode(payload)
        return framed

    return Codec(encode, decoder)


CODECS: Mapping[str, Callable[[], Codec]] = {
    "link": link,
    "bare cobs + crc32 loop": bare_loop,
    "sliplib + crc32": sliplib,
    "simplehdlc": simplehdlc,
}


def measure() -> list[Measurement]:
    """Encoding and decoding of each codec, and ours as a part of the bare loop's."""
    codecs = {name: codec for name, make in CODECS.items() if (codec := _installed(make))}
    goals, results = references()["codec"], []
    for direction, works in (("encode", _encoders(codecs)), ("decode", _decoders(codecs))):
        seconds = _best_seconds(works)
        megabytes = _FRAMES * PAYLOAD_BYTES / 1e6
        results += [
            Measurement(f"{direction}: {name}", megabytes / best_s, "MB/s")
            for name, best_s in seconds.items()
        ]
        ratio = seconds["bare cobs + crc32 loop"] / seconds["link"]
        results.append(
            Measurement(
                f"{direction}: link / bare loop", ratio, "ratio", references=numbers(goals[direction])
            )
        )
    return results


def missing() -> list[str]:
    """The public codecs that could be compared with and are not installed."""
    return [name for name, make in CODECS.items() if _installed(make) is None]


def _installed(make: Callable[[], Codec]) -> Codec | None:
    try:
        return make()
    except ImportError:
        return None


def _payloads() -> list[bytes]:
    rng = random.Random(PAYLOAD_BYTES)
    return [rng.randbytes(PAYLOAD_BYTES) for _ in range(_FRAMES)]


def _encoders(codecs: Mapping[str, Codec]) -> dict[str, Callable[[], object]]:
    payloads = _payloads()

    def work(encode: Callable[[bytes, int], bytes]) -> Callable[[], object]:
        def encode_all() -> None:
            for payload in payloads:
                encode(payload, _TAG)

        return encode_all

    return {name: work(codec.encode) for name, codec in codecs.items()}


def _decoders(codecs: Mapping[str, Codec]) -> dict[str, Callable[[], object]]:
    payloads = _payloads()

    def work(codec: Codec) -> Callable[[], object]:
        pieces = list(_pieces(b"".join(codec.encode(payload, _TAG) for payload in payloads)))

        def decode_all() -> list[bytes]:
            out: list[bytes] = []
            feed = codec.decoder(out)
            for piece in pieces:
                feed(piece)
            return out

        assert [bytes(payload) for payload in decode_all()] == payloads, (
            "a codec that loses frames is no measure"
        )
        return decode_all

    return {name: work(codec) for name, codec in codecs.items()}


def _pieces(stream: bytes) -> Iterable[bytes]:
    return (stream[begin : begin + PIECE_BYTES] for begin in range(0, len(stream), PIECE_BYTES))


def _best_seconds(works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The best round of each; the rounds are short and many, and take turns."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(max(1, int(rounds.ROUNDS * rounds.ROUND_S * 200))):
        for name, work in works.items():
            began_s = time.perf_counter()
            for _ in range(5):
                work()
            best[name] = min(best[name], (time.perf_counter() - began_s) / 5)
    return best
