"""Pictures that the generator did not draw, with hand-made labels: how far the models carry beyond their own world."""
