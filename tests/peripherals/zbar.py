"""zbar as a judge of drawn codes; tests that need it are skipped where it is not installed."""

import pytest
from PIL import Image


def read_codes(image: Image.Image) -> list[tuple[str, str]]:
    """Every code in the picture: its kind and its text, from the top."""
    try:
        from pyzbar import pyzbar
    except ImportError as error:
        pytest.skip(f"codes are read by zbar: pip install pyzbar, and Debian's libzbar0 ({error})")
    found = sorted(pyzbar.decode(image), key=lambda code: code.rect.top)
    return [(code.type, code.data.decode()) for code in found]
