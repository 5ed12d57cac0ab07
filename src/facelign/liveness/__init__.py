"""Telling a living face from a photo or a film of one."""
