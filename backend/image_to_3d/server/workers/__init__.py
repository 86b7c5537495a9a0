"""The processes that compute: what runs in them, and how the frontend holds them."""
