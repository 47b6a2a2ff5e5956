"""Text: from files to a language model, and what it writes and scores."""
