"""What touches the world while something runs: other programs, and models that are asked over HTTP."""
