"""Buttons that connect to the backend, install it and fetch weights."""
