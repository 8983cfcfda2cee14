"""One servicer a file: from messages to commands, and from the fold back to messages."""
