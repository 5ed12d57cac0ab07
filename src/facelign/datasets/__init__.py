"""Readers of data sets on disk: lists, tables and folders become plain records.

A reader never opens a photo. What it leaves out it names; a malformed line is named by number.
"""
