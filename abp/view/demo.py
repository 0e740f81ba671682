"""The demo: a real run on the digits that ship with scikit-learn, slowed down for watching."""

from abp.pruning.experiment import Experiment

DEMO = Experiment(dataset="digits", criterion="activation-neuron", amount=0.8, prunings=5)
DEMO_PACE = 2.0  # epochs a second; unpaced it would be over in a second
