"""Surrogates: what predicts. torch, gpytorch and BoTorch models live here.

Shape letters, here and in every docstring: n observations, N candidates, P perturbagens,
d features, h hidden width, k components of a perturbation, m readouts, M members, S draws.
"""
