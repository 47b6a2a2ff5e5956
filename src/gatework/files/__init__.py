"""Files: read in blocks of bounded size, written whole or not at all, locked by one process."""
