"""The sector log on flash: index, writer, recovery, proofs."""
