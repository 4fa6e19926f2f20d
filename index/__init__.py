"""What the engine knows, at rest: the catalogue and the indexes built from it."""
