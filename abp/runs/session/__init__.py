"""One session of training a run: steering it, and recording what it does."""
