"""A stand-in for the paid image gateway, for the demo and the tests. Not part of the node pack.

It speaks the documented HTTP contract, draws plainly marked pictures, counts what a real gateway
would have billed, and misbehaves when a script tells it to. See README.md for the vocabulary.
"""
