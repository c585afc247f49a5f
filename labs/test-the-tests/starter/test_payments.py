"""Tests of payments.py."""
