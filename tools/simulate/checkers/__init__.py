"""What must be true, during a run and at its end. A checker finds; it never repairs."""
