"""The backend process: a front that owns the sockets and never computes, and workers that compute and may die."""
