"""A shop on a disk that fills up, for `test_storage_failures.py`: `FOLDER LANGUAGE HOW`.

Prints one JSON object: what state and display were when the memory failed, and what came of it all.
"""

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.runtime import start
from tools.station import Station

CHUNK_BYTES = 512


@contextmanager
def no_space_left(folder: Path) -> Iterator[None]:
    """Fill the file system to its last byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(CHUNK_BYTES))
        except OSError:
            pass
    yield
    filler.unlink()


@contextmanager
def no_file_may_grow(_folder: Path) -> Iterator[None]:
    """The system's limit for the size of files (RLIMIT_FSIZE), lower than what is there already."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def pay(shop: Station) -> str:
    """One payment, and how it ended."""
    shop.enter_amount("1.00")
    shop.swipe("good")
    shop.enter_pin("123456")
    payment = shop.finish()
    assert payment is not None
    assert payment.outcome is not None
    return payment.outcome.value


def main() -> None:
    folder, language, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    state = folder / "state"
    state.mkdir()
    told: dict[str, object] = {}
    with start(state_folder=state, language=language) as shop:
        told["before"] = pay(shop)
        with {"full": no_space_left, "limit": no_file_may_grow}[how](folder):
            told["sale_begins"] = shop.try_amount("2.00")
            told["state"], told["display"] = shop.state, shop.display
            shop.press("enter")
            told["state_after_enter"] = shop.state
        shop.press("enter")
        shop.finish()
        told["after"] = pay(shop)
        told["books_balance"] = shop.ask_bank(lambda bank: bank.verify()).ok
        assert shop.terminal is not None
        told["outcomes"] = [
            str(one.outcome and one.outcome.value) for one in shop.terminal.journal.payments()
        ]
    print(json.dumps(told, ensure_ascii=False))


main()
