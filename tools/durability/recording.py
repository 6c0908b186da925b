"""What a program did to the files of a folder, call by call, as strace saw it.

Only calls that change files or make changes durable are kept, and the marks that the program itself writes
into a file called `MARKS`. Reading strace's lines: `-y` names the file of each descriptor, `-xx` writes every
string in hex.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MARKS = "marks.txt"
_CALLS = (
    "openat,creat,write,pwrite64,writev,pwritev,pwritev2,lseek,fsync,fdatasync,ftruncate,fallocate,"
    "unlink,unlinkat,rename,renameat,renameat2,sync_file_range,copy_file_range,sendfile"
)
_STRING_BYTES_MAX = 1 << 20

_LINE = re.compile(r"(?P<call>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\w+)(?P<rest>.*)$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FILE = re.compile(r"^\w+<((?:\\x[0-9a-f]{2})*)>")


class RecordingError(Exception):
    """strace is not there, may not trace, or wrote what is not understood."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes into a file, not durable yet."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A file gets another length; not durable yet."""

    name: str
    length: int


@dataclass(frozen=True, slots=True)
class Sync:
    """All that was written to a file is durable now, its length too."""

    name: str


@dataclass(frozen=True, slots=True)
class FailedSync:
    """A sync failed. What was written before it may be on the disk or not, and no later sync brings it there.

    So Linux does: pages that could not be written count as clean (LWN, "PostgreSQL's fsync() surprise").
    """

    name: str


@dataclass(frozen=True, slots=True)
class SyncFolder:
    """The names in the folder are durable now: new, removed and renamed files."""


@dataclass(frozen=True, slots=True)
class Create:
    """A new, empty file, whose name is not durable yet."""

    name: str


@dataclass(frozen=True, slots=True)
class Unlink:
    """A file's name is gone; not durably yet."""

    name: str


@dataclass(frozen=True, slots=True)
class Rename:
    """A file has another name; not durably yet."""

    name: str
    to: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What the program said to whoever watches: not a change of the disk."""

    text: str


Operation = Write | Truncate | Sync | FailedSync | SyncFolder | Create | Unlink | Rename | Mark


def why_not() -> str:
    """Why nothing can be recorded on this machine; empty when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed: sudo apt install strace"
    tried = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "strace may not trace processes here"


def record(
    command: Sequence[str], folder: Path, log: Path, *, failing_sync: int | None = None
) -> list[Operation]:
    """Run a command to its end; what it did to the files in `folder`. Raises RecordingError.

    `failing_sync`: the number of the one call of fdatasync that fails.
    """
    if reason := why_not():
        raise RecordingError(reason)
    strace = ["strace", "-qq", "-y", "-xx", "-s", str(_STRING_BYTES_MAX), "-e", f"trace={_CALLS}"]
    if failing_sync is not None:
        strace += ["-e", f"inject=fdatasync:error=EIO:when={failing_sync}"]
    done = subprocess.run([*strace, "-o", str(log), *command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RecordingError(f"the recorded program ended with {done.returncode}:\n{done.stderr[-2000:]}")
    with log.open(encoding="ascii") as lines:
        return list(operations(lines, folder))


def operations(lines: Iterator[str], folder: Path) -> Iterator[Operation]:
    """The operations on the files directly in `folder`, from strace's lines. Raises RecordingError."""
    reader = _Reader(str(folder.resolve()))
    for line in lines:
        parts = _LINE.match(line)
        if parts is not None and parts["result"].startswith("-"):
            yield from reader.read_failed(parts["call"], parts["arguments"])
        elif parts is not None:
            yield from reader.read(parts["call"], parts["arguments"], int(parts["result"].split("<")[0], 0))


class _Reader:
    """Knows which files there are, and where each descriptor stands."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._there: set[str] = set()
        self._position: dict[str, int] = {}  # by descriptor and name, for write()

    def read(self, call: str, arguments: str, result: int) -> Iterator[Operation]:
        match call:
            case "openat" | "creat":
                yield from self._open(arguments)
            case "lseek":
                self._position[arguments.split(",", maxsplit=1)[0]] = result
            case "unlink" | "unlinkat" | "rename" | "renameat" | "renameat2":
                yield from self._name(call, [self._own(path) for path in _strings(arguments)])
            case _:
                descriptor = arguments.split(",", maxsplit=1)[0]
                if (name := self._file(descriptor)) is not None:
                    yield from self._change(call, name, arguments, result)

    def read_failed(self, call: str, arguments: str) -> Iterator[Operation]:
        """A call that has changed nothing, or what is not known."""
        if call in ("fsync", "fdatasync") and (name := self._file(arguments.split(",", maxsplit=1)[0])):
            yield FailedSync(name)

    def _open(self, arguments: str) -> Iterator[Operation]:
        name = self._own(_strings(arguments)[0])
        if name is None or name == "":
            return
        if name not in self._there and "O_CREAT" in arguments:
            self._there.add(name)
            yield Create(name)
        elif "O_TRUNC" in arguments:
            yield Truncate(name, 0)

    def _name(self, call: str, names: list[str | None]) -> Iterator[Operation]:
        name = names[0]
        if not name:
            return
        self._there.discard(name)
        if call.startswith("unlink"):
            yield Unlink(name)
        elif to := names[1]:
            self._there.add(to)
            yield Rename(name, to)

    def _change(self, call: str, name: str, arguments: str, result: int) -> Iterator[Operation]:
        if name == "":
            yield SyncFolder()
        elif call in ("fsync", "fdatasync"):
            yield Sync(name)
        elif call == "ftruncate":
            yield Truncate(name, int(arguments.rsplit(",", 1)[1]))
        elif call == "pwrite64":
            yield Write(name, int(arguments.rsplit(",", 1)[1]), _bytes(arguments)[:result])
        elif call == "write":
            data = _bytes(arguments)[:result]
            if name == MARKS:
                yield from (Mark(line) for line in data.decode().splitlines())
                return
            descriptor = arguments.split(",", maxsplit=1)[0]
            at = self._position.get(descriptor, 0)
            self._position[descriptor] = at + result
            yield Write(name, at, data)
        else:
            raise RecordingError(f"{call} on {name} is not understood: teach tools.durability.recording")

    def _file(self, descriptor: str) -> str | None:
        found = _FILE.match(descriptor)
        return None if found is None else self._own(_unhex(found[1]).decode())

    def _own(self, path: str | bytes) -> str | None:
        """The name of a file directly in the folder, "" for the folder itself, None for anything else."""
        text = path.decode() if isinstance(path, bytes) else path
        if text == self._folder:
            return ""
        folder, _, name = text.rpartition("/")
        return name if folder == self._folder else None


def _strings(arguments: str) -> list[bytes]:
    return [_unhex(text) for text in _STRING.findall(arguments)]


def _bytes(arguments: str) -> bytes:
    return _strings(arguments)[0]


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
