"""The two faces of the engine: the command line and HTTP."""
