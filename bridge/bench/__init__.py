"""The benchmarks of `threadbridge bench`: servers in processes of their own, and a load that counts every message."""
