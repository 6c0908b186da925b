"""Does everything that was promised outlive a power cut? `make durability`.

A whole day of terminal and bank runs under strace, which writes down every call that changes a file. From
that recording every state is worked out in which a power cut may leave the disk, call by call: what was not
synced may be there, be missing, be torn or be zeros. Each is opened with the program's own storage, and holds
all that was acknowledged before the cut.
"""
