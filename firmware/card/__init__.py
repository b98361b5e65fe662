"""The card: the application that runs on the board."""
