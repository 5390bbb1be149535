"""Acquisitions: how a batch is chosen from beliefs. torch and BoTorch acquisition live here."""
