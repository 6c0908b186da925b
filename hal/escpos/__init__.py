"""ESC/POS as a terminal speaks it: bytes for what is to be printed, meaning of what is answered. Pure."""
