"""Cameras: intrinsics and focal lengths, axes, poses, moves, and how far a move may go."""
