"""Walks a space tile by tile or row by row, and keeps the best in bounded memory."""
