"""What people are told: incidents from entry to entry, and the words and forms of a message."""
