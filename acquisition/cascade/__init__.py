"""Spaces beyond a full scan: a student narrows them down, and an audit says what it missed."""
