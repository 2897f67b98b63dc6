"""The figures of a watched service for monitoring systems: pushed to OpenTelemetry, scraped by Prometheus."""
