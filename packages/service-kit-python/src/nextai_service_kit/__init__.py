"""What every Python service of the platform shares. A service's own files are main, config, routes, store and health."""
