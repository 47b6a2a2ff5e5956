"""Tasks: a job from raw input to answer."""
