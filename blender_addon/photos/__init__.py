"""From a chosen photo to its place in the scene: source, information, the queue, and what the panels show of them."""
