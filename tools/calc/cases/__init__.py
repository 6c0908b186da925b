"""One function a kind of case: inputs to results, both as in `tests/vectors/README.md`.

Every module has a table `KINDS`; `tools.calc.case_file` says which module knows which kind.
"""
