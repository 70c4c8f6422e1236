"""A recording answers in the place of the devices it was made from: a simulated slave."""
