"""The server: grpc.aio servicers around the pure state machine, over one durable log.

``bootstrap.py`` puts the parts together; ``server.py`` is the one way into every method.
"""
