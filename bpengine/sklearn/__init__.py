"""Estimators with scikit-learn's interface."""

from bpengine.sklearn.estimators import BackpropClassifier, BackpropRegressor
