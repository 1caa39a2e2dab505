"""What happens when in a run: rounds, footprint, instructions, and the store that keeps it all."""
