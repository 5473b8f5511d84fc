"""Procedural articulated objects, renders, training loops and evaluation."""
