"""A card on the desk that is not there: the emulated one in a terminal, with its screen, keys, cable and battery."""
