"""Frozen values, what files hold, configuration parsed once, and the registry of metrics. No I/O."""
