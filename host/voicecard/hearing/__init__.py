"""What the card hears: its decisions on any sound, replayed and drawn, so that a gate can be tuned by looking."""
