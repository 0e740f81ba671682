"""The words of every page: what it shows, and its terms, each in one line. For people, behind one button."""

from dataclasses import dataclass

import streamlit as st

GLOSSARY = {
    "accuracy": "The share of pictures that a network names rightly. *Training* accuracy is of the pictures that it "
    "learns from, *validation* and *test* accuracy of pictures that it never learns from.",
    "activation": "A neuron is active, or fires, for a picture when what it passes on is above zero.",
    "confidence interval": "Where the true mean lies, in 95 of 100 such studies. The fewer seeds, the wider it is.",
    "dead neuron": "A neuron that nothing leads to any more; it computes nothing.",
    "dense": "A network from which nothing was removed.",
    "epoch": "One pass over all training pictures.",
    "fine-tuning": "Training a network further after something was done to it, so that it can recover.",
    "FLOPs": "Multiplications and additions that the network takes for one picture.",
    "fire": "A neuron fires for a picture when what it passes on is above zero.",
    "latency": "How long a network takes for an answer, measured.",
    "layer": "A row of neurons. Each layer gets what the one before it passes on; the first gets the picture.",
    "loss": "How wrong the network is, on average; training makes it smaller.",
    "low-rank": "Made of few directions: such a matrix can be stored as two thin ones.",
    "magnitude": "How large a weight is, whatever its sign. Pruning by magnitude removes the smallest.",
    "mask": "The list of which weights are kept and which were removed.",
    "network": "A neural network: layers of neurons, each connected with all of the next layer. It learns by changing "
    "the strengths of its connections.",
    "neuron": "A small unit of the network. It adds up what it gets, and passes the sum on if that is above zero.",
    "norm": "The size of a matrix as one number: the spectral norm is its largest singular value, the Frobenius norm "
    "the root of the sum of their squares.",
    "nuclear norm": "The sum of a matrix's singular values. A regulariser that holds it down leaves fewer directions.",
    "paired": "Compared seed by seed, so that what one seed has in common for both sides drops out.",
    "PCA": "Principal component analysis: keeps the directions in which data, here a layer's weights, differ most.",
    "pruning": "Removing weights, or whole neurons, for good.",
    "random": "The control: what is removed is drawn by lot. A method that does no better has chosen nothing of worth.",
    "rank": "How many independent directions a layer's matrix has. *Stable* and *effective* rank count weak directions "
    "for less than strong ones.",
    "regulariser": "Something added to what training makes smaller, so that the network stays simple.",
    "run": "One training of one network, with all that was recorded of it.",
    "seed": "The number from which all chance comes: the same seed gives the same run, bit by bit.",
    "singular value": "How strong one direction of a layer's matrix is. As many are above zero as the rank says.",
    "sparsity": "The share of the weights between hidden layers that is removed.",
    "standard deviation": "How far runs with different seeds typically lie from their mean.",
    "study": "The same comparison over several seeds, data sets and methods.",
    "SVD": "Singular value decomposition: a matrix as a sum of directions; kept are the strongest ones.",
    "weight": "The strength of one connection between two neurons; learning changes it.",
}
"""One line for each term."""

FORMS = {
    "activation": r"activat(ion|ed|ions)|active",
    "confidence interval": r"(95 %|confidence) intervals?",
    "dead neuron": r"dead",
    "fine-tuning": r"fine-tun(e|ed|ing)",
    "fire": r"fires?",
    "FLOPs": r"FLOPs",
    "loss": r"loss(es)?",
    "norm": r"(spectral|Frobenius) norms?|norms?",
    "nuclear norm": r"nuclear[ -]norms?",
    "pruning": r"prun(e|ed|es|ing|ings)",
    "random": r"at random",
    "regulariser": r"regulari[sz](er|ed|ers|ation)",
    "run": r"runs?",
    "study": r"stud(y|ies)",
}
"""How a term is written where it is not simply itself or its plural: a regular expression."""


@dataclass(frozen=True)
class Words:
    """What a page shows, in two to four sentences, and the terms on it, of `GLOSSARY`."""

    text: str
    terms: tuple[str, ...]


PAGES = {
    "Start": Words(
        "ABP Lab trains small neural networks before your eyes and removes the parts that they hardly use. This page "
        "leads you to it: a guided tour of a minute, a run that you can play with, or your own. Nothing here needs "
        "any knowledge, and nothing can be broken.",
        ("network", "neuron", "fire", "activation", "pruning", "run"),
    ),
    "Guided demo": Words(
        "Two real networks are trained, on this computer, to read handwritten digits. You see the first one: every dot "
        "is a neuron, and the stronger its colour, the more digits it fires for. Those that hardly fire are removed, "
        "and it learns on; the other network loses as much, but at random. Every figure is measured on digits that "
        "neither has learnt from.",
        ("network", "neuron", "fire", "layer", "random", "run"),
    ),
    "Train": Words(
        "Here a network learns, and you can steer it. Each small square is a neuron: the stronger its colour, "
        "the more pictures it fires for, and a cross was removed. The curves below show how well it does after each "
        "pass over the training pictures, and the dotted lines when something was removed.",
        (
            "network", "run", "neuron", "layer", "fire", "activation", "weight", "pruning", "epoch", "accuracy", "loss",
            "seed", "magnitude", "random", "regulariser", "nuclear norm", "mask", "fine-tuning", "singular value",
        ),
    ),
    "Playground": Words(
        "Two trained networks, side by side, look at one picture: yours, or a test picture. You see what each takes it "
        "for, how sure it is, and which of its neurons answer. The left one stays as trained; from the right one "
        "you can take away as much as you like, and see when it begins to err.",
        (
            "network", "run", "neuron", "layer", "fire", "weight", "activation", "magnitude", "random", "dense",
            "accuracy", "pruning",
        ),
    ),
    "Runs": Words(
        "A list of everything that was trained here. Tick a line to open that run, repeat it with other settings, "
        "continue it, download what was recorded, or delete it.",
        ("run", "accuracy", "sparsity", "epoch", "seed", "activation", "pruning", "weight"),
    ),
    "Compare": Words(
        "One run can be luck. A study trains every method several times, each time from another start, so that you "
        "see how much of a difference is the method and how much is chance. The charts show accuracy against how much "
        "was removed; the table gives the same in figures.",
        (
            "study", "run", "network", "seed", "accuracy", "sparsity", "pruning", "activation", "magnitude", "random",
            "dense", "confidence interval", "standard deviation", "paired", "rank", "neuron", "weight", "epoch",
            "layer", "FLOPs", "nuclear norm", "regulariser", "PCA", "SVD",
        ),
    ),
    "Claims": Words(
        "The scientific paper behind this method makes four claims. For each you see what the runs of a study say of "
        "it: supported, not supported, or undecided, and the figures that the answer rests on.",
        (
            "study", "run", "network", "seed", "accuracy", "pruning", "activation", "dense", "rank", "low-rank", "PCA",
            "SVD", "singular value", "nuclear norm", "regulariser", "confidence interval", "layer", "neuron", "weight",
            "magnitude", "random", "sparsity", "paired", "loss",
        ),
    ),
    "Spectra": Words(
        "Every layer of a network is a table of weights, a matrix, and every matrix has a list of strengths, its "
        "singular values. Many small ones mean that the layer could be simpler than it is. The curves show how this "
        "list changes when something is removed.",
        (
            "run", "network", "layer", "neuron", "weight", "singular value", "rank", "norm", "nuclear norm", "pruning",
            "epoch",
        ),
    ),
    "Weights": Words(
        "The network laid open: each coloured point is the strength of one connection, and grey is what was removed. "
        "Choose a moment of the run, a layer or a single neuron, and see what it looks for and which pictures excite "
        "it.",
        (
            "run", "network", "layer", "neuron", "weight", "fire", "activation", "pruning", "mask", "dead neuron",
            "sparsity", "FLOPs", "latency", "dense", "epoch", "norm",
        ),
    ),
    "Low rank": Words(
        "Pruning is one way to make a network simpler; cutting its matrices down to their strongest directions is "
        "another, and is known as PCA or SVD. Here both are done to the same network, to the same ranks, and you see "
        "which reads more pictures rightly. Move the slider to cut more or less.",
        (
            "run", "network", "layer", "neuron", "weight", "rank", "low-rank", "PCA", "SVD", "singular value", "dense",
            "pruning", "accuracy", "fine-tuning", "epoch", "FLOPs", "seed",
        ),
    ),
}  # fmt: skip
"""By the title of the page."""


def words_of(title: str) -> None:
    """A button that opens what a page shows and its terms; by hover, touch or keyboard alike."""
    words = PAGES.get(title)
    if words is None:
        return
    lines = [f"- **{term[:1].upper()}{term[1:]}:** {GLOSSARY[term]}" for term in sorted(words.terms, key=str.lower)]
    with st.popover("What am I looking at?", icon=":material/help:", type="tertiary"):
        st.markdown("\n".join((words.text, "", "**Words on this page**", "", *lines)))
