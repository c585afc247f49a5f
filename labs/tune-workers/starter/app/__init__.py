"""The application whose workers are to be tuned. Leave this folder as it is."""
