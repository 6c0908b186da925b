"""What every test run does besides its tests."""

pytest_plugins = ("tests.rules_taken",)
