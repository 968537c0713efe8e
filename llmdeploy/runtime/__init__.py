"""What touches the world while something runs: other programs."""
