"""The visible surface, its planes, gravity and the room."""
