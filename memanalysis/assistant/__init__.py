"""What an assistant asks a ledger over the Model Context Protocol, and the short answers that it gets."""
