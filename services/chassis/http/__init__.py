"""What any HTTP API of a service needs, whatever it serves: the server, tokens, problems, limits, probes and metrics (FastAPI, uvicorn).

Only an API imports this package: a worker needs neither FastAPI nor uvicorn, and would pay for their import at every start.
"""
