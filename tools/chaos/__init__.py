"""Terminal, gateway and bank as processes of their own, killed at random moments, over and over.

    __main__.py   the command: options, progress, report
    run.py        whom to kill, and when; peace, and what must be true then
    failing.py    instead of kills: each call to the disk fails in turn
    strace.py     how a call is made to fail
    leaks.py      secrets in the files that are left
    parts.py      a process: how it is started, killed, and left without room on its disk
    tied.py       that none of them outlives who has started it
    till.py       the terminal's process: people who pay
    town.py       the bank's data and the terminal's settings
    line.py       the serial line

Where `tools.simulate` decides about every moment and can play it again, here the operating system does:
processes, files, pseudo-terminals and TCP are real. So the seed says what is done, not what comes of it.
"""
