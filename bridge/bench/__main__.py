"""A server of the benchmarks, as small as `threadbridge run`: `python -m bridge.bench PORT GATEWAY FOLDER NAME`."""

from __future__ import annotations

from bridge.footprint import import_slim, unread_certificates

if __name__ == "__main__":
    import_slim()
    with unread_certificates():
        from bridge.bench.servers import main

    main()
