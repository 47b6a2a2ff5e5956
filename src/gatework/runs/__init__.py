"""What the jobs share: run folders, arguments, progress."""
