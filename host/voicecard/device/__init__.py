"""Cards: real ones and emulated ones."""
