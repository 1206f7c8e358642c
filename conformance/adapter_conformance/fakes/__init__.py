"""Peers that are not there: servers for tests, in process or on loopback, with faults by name.

Each fake has `app` (ASGI). `httpx.ASGITransport(fake.app)` runs it in process;
`adapter_conformance.fakes.serving.on_loopback(fake.app)` gives it a real socket. Everything in them
is invented.
"""
