"""The plan: what will run, neutral of engine and target, and why."""
