"""Peers that are not there: servers for tests, in process or on loopback, with faults by name.

Those that speak HTTP have `app` (ASGI). `httpx.ASGITransport(fake.app)` runs it in process;
`adapter_conformance.fakes.serving.on_loopback(fake.app)` gives it a real socket. The others listen
on a socket of this machine while ``async with`` runs. Everything in them is invented.
"""
