"""Files and standard input to tokens, and these to batches."""
