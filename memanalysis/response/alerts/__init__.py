"""Who is told, and how often: alerts, their levels, and one channel a file."""
