"""Generated examples are not timed here: a busy machine is no defect of the code."""

from hypothesis import HealthCheck, settings

settings.register_profile("peripherals", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("peripherals")
