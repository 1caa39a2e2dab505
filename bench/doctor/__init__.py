"""Whether this machine can measure, and how many rounds it takes."""
