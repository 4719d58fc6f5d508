"""threadbridge: durable conversations over five messaging gateways."""
