"""What Hypothesis tries is about what holds, not about how fast a busy machine is.

On top of the profile in force: Hypothesis has one of its own for CI, with fixed seeds.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any_machine",
    parent=settings.default,
    deadline=None,
    suppress_health_check={*settings.default.suppress_health_check, HealthCheck.too_slow},
)
settings.load_profile("any_machine")
