"""Makes `benchmarks` importable from its own modules; the plugin comes with the package tlbench."""
