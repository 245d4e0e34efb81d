"""The build system: a package that knows no service by name, and learns everything from `platform.yaml`."""
