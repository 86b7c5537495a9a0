"""The backend process: a frontend that owns the sockets and never computes, and workers that compute and may die."""
