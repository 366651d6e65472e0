"""Records → the normalisation graph and the statistics of the training pictures."""
