"""What drivers of one kind share, whatever their line: pure, bytes and `now` in, events and deadlines out.

A reader at a serial port and one at USB send the same characters; a held key repeats by the same rules on
every keypad. Here is what they have in common, so that each backend is about its line only.
"""
