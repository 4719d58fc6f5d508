"""The benchmarks: ratios taken in one run, on one core, never a timed test of the suite."""
