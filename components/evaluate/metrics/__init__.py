"""Distances between two sets of features, real [N, d] and fake [M, d]; one file a metric."""
