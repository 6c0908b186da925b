"""What a chip card and a terminal say to each other: ISO/IEC 7816-3 and -4, as pure functions."""
