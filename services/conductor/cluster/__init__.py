"""The platform on Kubernetes: installed, upgraded and asked by kubectl and helm."""
