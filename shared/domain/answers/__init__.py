"""What an answer is worth: scorers, the judge, and how far the judge can be trusted."""
