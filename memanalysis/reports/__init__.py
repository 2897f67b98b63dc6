"""What is shown on paper: verdicts from ledger and policy, in words, tables and charts, as HTML, Markdown, JSON."""
