"""The commands of the calculator, one module a few subjects. Each has a table `GROUPS`."""
