"""The paid API: what is sent, what its answers say, what its refusals mean."""
