"""Empty on purpose: every setting is on the command line, and naming this file keeps gunicorn from reading another."""
