"""The platform on one machine: its servers, the programs outside and the pools, under one supervisor."""
