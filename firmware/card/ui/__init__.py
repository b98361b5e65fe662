"""What the owner touches and sees: keys, display, screens."""
