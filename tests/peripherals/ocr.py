"""tesseract as a judge of printed text; tests that need it are skipped where it is not installed."""

import os

import pytest
from PIL import Image


def read_text(image: Image.Image, language: str) -> str:
    """What tesseract reads, line by line. Raises pytest's skip."""
    pytesseract = pytest.importorskip("pytesseract", reason="text is read by OCR: pip install pytesseract")
    try:
        known = pytesseract.get_languages()
    except pytesseract.TesseractNotFoundError:
        pytest.skip("text is read by OCR: apt-get install tesseract-ocr tesseract-ocr-chi-sim")
    if language not in known:
        pytest.skip(f"tesseract has no language {language}: apt-get install tesseract-ocr-chi-sim")
    os.environ["OMP_THREAD_LIMIT"] = "1"  # several threads for so small a picture are slower than one
    return str(pytesseract.image_to_string(image, lang=language, config="--psm 6"))
