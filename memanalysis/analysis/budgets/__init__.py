"""When a service is over its budget, and when next."""
