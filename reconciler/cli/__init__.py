"""The command line: a command parses, calls once, prints and returns a status. No rule lives here."""
