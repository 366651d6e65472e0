"""Features of pictures, and distances between two sets of them: real [N, d] and fake [M, d].

No step, but a room of two: train looks at its snapshots while it goes on, evaluate scores them.
"""
