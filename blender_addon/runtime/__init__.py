"""What the add-on is while it runs, outside the .blend file: work on other threads, work in slices, the timer, handlers."""
