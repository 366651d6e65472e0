"""The steps of the pipeline, one room each; no step imports another."""
