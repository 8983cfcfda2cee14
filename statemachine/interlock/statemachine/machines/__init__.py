"""The machines: states and edges (``tables``), and what firing a trigger writes (one module a kind)."""
