"""Who did it: where a change sits, and what else changed with it."""
