"""Experiments beyond the poster: those of the papers that it cites, a file for each."""
