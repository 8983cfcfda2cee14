"""The `interlock` command: what a person or a pipeline types. `main.main` is its entry point."""
