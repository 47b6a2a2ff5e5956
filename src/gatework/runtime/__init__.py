"""A trained network without torch: numpy and the compiled core."""
