"""Records and normalisation → snapshots of a generator, sample sheets and curves."""
