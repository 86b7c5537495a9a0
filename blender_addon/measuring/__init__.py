"""Measuring in Blender: levelling, rulers, calibration, dimensions, planes.

The arithmetic is the core's; here are the buttons, what is stored in the file, and the way between Blender's frame and the
camera frame of the photo.
"""
