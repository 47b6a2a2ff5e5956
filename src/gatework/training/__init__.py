"""Training: truncated backpropagation through time, checkpoints, metrics, and what several processes agree on."""
