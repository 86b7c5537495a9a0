"""From arrays to data-blocks. Called on the main thread, with everything slow already done."""
