"""A display without Chinese characters is spoken to in English; the paper keeps the terminal's language."""

import posterm


def test_the_display_in_english_the_slip_in_chinese() -> None:
    with posterm.start(language="zh") as pos:
        assert not pos.display.isascii()
        pos.board.display.shows_chinese = False
        pos.enter_amount("12.34")
        seen = [pos.display]
        pos.swipe("good")
        pos.wait_for("pin")
        seen.append(pos.display)
        pos.enter_pin("123456")
        payment = pos.finish()
        assert payment is not None
        assert "12.34" in seen[0]
        assert all(text.isascii() for text in seen)
        assert not pos.slips[0].isascii()
