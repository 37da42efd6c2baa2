"""Judging the estimate of missed revenue by worlds whose truth is known."""
