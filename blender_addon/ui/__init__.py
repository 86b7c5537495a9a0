"""What every panel and operator shares: widgets, and how something is said to the person."""
