"""Draws labels, by a library that was written in C. Leave this file as it is."""

import os
import signal

import redis

printer = redis.Redis.from_url("redis://localhost:6379/9", decode_responses=True)


def draw(order_id):
    """Draw the label of an order. The library has a fault: a name that it does not like ends the process."""
    if printer.sismember("disliked", order_id):
        printer.rpush("deaths", order_id)
        os.kill(os.getpid(), signal.SIGKILL)
    printer.rpush("drawn", order_id)
