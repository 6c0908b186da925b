"""Fuzzing of everything that reads bytes or files from outside. Start with `make fuzz`."""
