"""What changes over nights: the statistics, and the fold that applies them to a schedule's sequence."""
