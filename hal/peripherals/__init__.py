"""The far sides of the serial devices, in software: bytes and time in, bytes and deadlines out.

For whoever tests any POS software, and for the tests of our own drivers. Nothing here knows a driver, so that
a driver that meets one of these meets a stranger.
"""
