"""Configuration: the variable contract, what this machine sets, and the check of the manifests against both."""
