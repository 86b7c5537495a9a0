"""`lite`: the built-in engine. A small network of our own, trained on scenes of our own; free for any use."""
