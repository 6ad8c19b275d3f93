"""Real processes on loopback, killed, stopped, cut off and starved from a seed; what must hold afterwards."""
