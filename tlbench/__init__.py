"""Studies of transfer learning as pytest benchmarks."""

__version__ = "0.1.0"
