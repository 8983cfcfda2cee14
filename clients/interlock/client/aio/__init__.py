"""The SDK with asyncio: the same names, parameters and answers as the blocking one, awaited.

Lives here: the transport, the facade and the signing desk, whose blocking versions are in `interlock.client`; the
groups are made from the blocking ones by ops/make_async.py. Not here: anything that does not wait, which both share.
"""
