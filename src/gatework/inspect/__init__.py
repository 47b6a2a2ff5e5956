"""What a trained model does, as one self-contained web page."""
