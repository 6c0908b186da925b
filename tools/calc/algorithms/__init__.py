"""Calculations of issuers, cards and banks, and those that only people need.

The terminal's own are in `firmware.secure`. All raise `firmware.secure.errors.BadInput` with a reason
word; no text holds a secret.
"""
