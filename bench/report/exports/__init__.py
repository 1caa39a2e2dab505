"""A run for other tools, a format each: values in, the contents of files out; no I/O.

Trackers that raise alarms get what can be trusted, and nothing else: see ``trends``. Tables and histograms have every
measured slice.
"""
