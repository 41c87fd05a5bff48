"""What runs say, with how sure that is: accuracy, comparison, ranks, the gate."""
