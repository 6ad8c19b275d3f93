"""The fleet simulator: years of a fleet with a seed through the real execution, beside a world that knows the truth."""
