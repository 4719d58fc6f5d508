"""The gateways, one folder each."""
