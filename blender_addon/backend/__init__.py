"""The process that does the work: where it is, how it is installed, started, talked to, and what to do when it fails."""
