"""How good the suite is at noticing a wrong state table: rules are spoilt one by one, and tests must fail.

    __main__.py   the command: sample, progress, table of results
    mutants.py    what can be spoilt about a rule, and the table with it
    plugin.py     a plugin of pytest that spoils a table, or writes down which test takes which rule
    trial.py      a mutant before its tests
    warm.py       what is imported once for all mutants
    watch.py      which rules are taken; the suite itself asks that too (tests/rules_taken.py)

Nothing of this is in the program: the plugin changes the tables before anybody reads them.
"""
