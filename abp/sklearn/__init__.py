"""Activation-based pruning as a scikit-learn classifier."""

from abp.sklearn.classifier import PrunedMLPClassifier

__all__ = ["PrunedMLPClassifier"]
