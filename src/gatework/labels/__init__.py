"""Labels: from labelled sequences to a model that predicts classes, numbers or tags."""
