"""Step through an iteration in the terminal: the text of a step, where to go, and the screen."""
