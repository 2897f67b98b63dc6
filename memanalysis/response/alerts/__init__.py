"""Who is alerted, and how often: alerts, their levels, and one channel a file."""
