"""The Kubernetes client side: objects, the connection, watching, readiness, differences. It knows no platform."""
