"""For those who watch a running bridge: metrics, traces and alerts."""
