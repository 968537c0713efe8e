"""A start-up log beside the ledger that predicted it: what is off, by how much, and what to keep of it."""
