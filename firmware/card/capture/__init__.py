"""Sound in: microphone, level, gate, codec, recorder."""
