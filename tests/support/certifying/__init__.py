"""Certificates for tests: of made chains, changed at random, and the questions that are asked of both verifiers."""
