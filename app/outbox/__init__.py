"""Work requested in a transaction and done after it: at least once, by whichever relay comes first."""
