"""Who calls and what they may: sign-in, sessions, and the permissions table."""
