"""The command line: one verb per file, each parses, calls and prints."""
