"""A gateway on this machine: emulators served over HTTP, for `threadbridge emulate`, `dev` and tests."""
