"""The terminal's side of a chip card's contacts, without I/O: what the backends of the slot share."""
