"""The pure domain: what may change, who must agree, and what the gate says. No I/O, no clock, no gRPC."""
