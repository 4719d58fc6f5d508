"""Which handler an event belongs to: routers, rules, filters, dependencies, middleware."""
