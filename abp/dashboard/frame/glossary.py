"""The help of every page: what it shows, and a glossary of the terms on it, behind one button."""

from dataclasses import dataclass

import streamlit as st

GLOSSARY = {
    "accuracy": "The share of pictures that a network classifies correctly. *Training* accuracy is measured on the "
    "pictures it learns from, *validation* and *test* accuracy on pictures it never learns from.",
    "activation": "A neuron is active, or fires, for a picture when its output is above zero.",
    "confidence interval": "A range that covers the true mean in 95 % of repeated studies. Fewer seeds make it wider.",
    "dead neuron": "A neuron without any incoming weights; its output no longer depends on the picture.",
    "dense": "A network from which nothing has been removed.",
    "epoch": "One pass over all training pictures.",
    "fine-tuning": "Training a network further after it has been changed, so that it can recover.",
    "FLOPs": "Floating-point operations: the multiplications and additions that a network needs for one picture.",
    "fire": "A neuron fires for a picture when its output is above zero.",
    "latency": "The time that a network takes to classify its input, as measured.",
    "layer": "A row of neurons. Each layer receives the outputs of the one before it; the first receives the picture.",
    "loss": "How wrong the network's predictions are, on average; training makes it smaller.",
    "low-rank": "Made of few directions: such a matrix can be stored as the product of two thin ones.",
    "magnitude": "The size of a weight, whatever its sign. Pruning by magnitude removes the smallest weights.",
    "mask": "The record of which weights are kept and which have been removed.",
    "network": "A neural network: layers of neurons, each connected to all neurons of the next layer. It learns by "
    "adjusting the strengths of these connections.",
    "neuron": "A small unit of the network. It adds up its weighted inputs and passes the sum on if it is above zero.",
    "norm": "The size of a matrix as one number: the spectral norm is its largest singular value, the Frobenius norm "
    "the root of the sum of their squares.",
    "nuclear norm": "The sum of a matrix's singular values. A regulariser that keeps it small leaves fewer directions.",
    "paired": "Compared seed by seed, so that whatever a seed does to both sides cancels out.",
    "PCA": "Principal component analysis: it keeps the directions in which data, here a layer's weights, vary most.",
    "pruning": "Removing weights, or whole neurons, permanently.",
    "random": "The control: what is removed is chosen at random. A method that does no better has found nothing.",
    "rank": "The number of independent directions in a layer's matrix. *Stable* and *effective* rank count weak "
    "directions less than strong ones.",
    "regulariser": "A term added to the loss during training that keeps the network simple.",
    "run": "One training of one network, with everything recorded during it.",
    "seed": "The number that determines all random choices: the same seed gives the same run, bit for bit.",
    "singular value": "The strength of one direction of a layer's matrix. The rank says how many are above zero.",
    "sparsity": "The share of the weights between hidden layers that has been removed.",
    "standard deviation": "How far runs with different seeds typically lie from their mean.",
    "study": "The same comparison repeated over several seeds, data sets and methods.",
    "SVD": "Singular value decomposition: it writes a matrix as a sum of directions, of which the strongest are kept.",
    "weight": "The strength of the connection between two neurons; it changes as the network learns.",
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
"""Regular expressions for terms that appear in other forms than themselves and their plurals."""


@dataclass(frozen=True)
class Help:
    """What a page shows, in two to four sentences, and the terms of `GLOSSARY` that appear on it."""

    text: str
    terms: tuple[str, ...]


PAGES = {
    "Start": Help(
        "ABP Lab trains small neural networks before your eyes and removes the parts that they hardly use. From this "
        "page you can take a guided tour of one minute, start a prepared run, or set up your own. You need no "
        "previous knowledge, and you cannot break anything.",
        ("network", "neuron", "fire", "activation", "pruning", "random", "run", "seed"),
    ),
    "Guided demo": Help(
        "Two real networks are trained on this computer to read handwritten digits. The picture shows the first of "
        "them: every dot is a neuron, and the stronger its colour, the more digits it fires for. Neurons that hardly "
        "fire are removed and the network goes on learning; the other network loses as much, but chosen at random. "
        "Every figure is measured on digits that neither network has learnt from.",
        ("network", "neuron", "fire", "layer", "random", "run"),
    ),
    "Train": Help(
        "Here a network learns, and you can steer it. Each square is a neuron: the stronger its colour, the more "
        "pictures it fires for; a cross is a neuron that was removed. The curves show how well the network does after "
        "each pass over the training pictures, and the dotted lines mark prunings.",
        (
            "network", "run", "neuron", "layer", "fire", "activation", "weight", "pruning", "epoch", "accuracy", "loss",
            "seed", "magnitude", "random", "regulariser", "nuclear norm", "mask", "fine-tuning", "singular value",
        ),
    ),
    "Data": Help(
        "Here you bring data of your own: pictures in folders, or tables of numbers, which a network then learns to "
        "classify. Before anything is kept you see what was found in your file, and what was left out and why. "
        "Nothing leaves this computer, and samples that you mark private are shown to nobody else.",
        ("network", "run", "epoch", "seed", "study"),
    ),
    "Playground": Help(
        "Two trained networks, side by side, look at the same picture: yours, or a test picture. You see how each "
        "classifies it, how sure it is, and how strongly each of its neurons responds. The network on the left stays "
        "as trained; from the one on the right you can remove as much as you like and see when it begins to fail.",
        (
            "network", "run", "neuron", "layer", "fire", "weight", "activation", "magnitude", "random", "dense",
            "accuracy", "pruning",
        ),
    ),
    "Runs": Help(
        "This table lists every network that was trained here. Tick a row to open that run, repeat it with other "
        "settings, continue it, download its records, or delete it; tick several to do that to all of them at once. "
        "A network that was trained elsewhere can be opened from its file.",
        (
            "run", "network", "layer", "accuracy", "sparsity", "epoch", "seed", "activation", "pruning", "weight",
            "rank", "study",
        ),
    ),
    "Compare": Help(
        "A single run may be lucky. A study trains every method several times, each time from a different start, so "
        "that you see how much of a difference is due to the method and how much to chance. The sentences at the top "
        "say what came out; the charts and the table show it in detail.",
        (
            "study", "run", "network", "seed", "accuracy", "sparsity", "pruning", "activation", "magnitude", "random",
            "dense", "confidence interval", "standard deviation", "paired", "rank", "neuron", "weight", "epoch",
            "layer", "FLOPs", "latency", "nuclear norm", "regulariser", "PCA", "SVD",
        ),
    ),
    "Claims": Help(
        "The scientific paper behind this method makes four claims. For each of them you see what the runs of a study "
        "say about it, supported, not supported or undecided, and the figures on which the verdict rests.",
        (
            "study", "run", "network", "seed", "accuracy", "pruning", "activation", "dense", "rank", "low-rank", "PCA",
            "SVD", "singular value", "nuclear norm", "regulariser", "confidence interval", "layer", "neuron", "weight",
            "magnitude", "random", "sparsity", "paired", "loss", "mask",
        ),
    ),
    "Spectra": Help(
        "Every layer of a network is a table of weights, a matrix, and every matrix has a list of strengths, its "
        "singular values. Many small ones mean that the layer could be simpler than it is. The curves show how this "
        "list changes when something is removed. A file with the weights of any perceptron can be opened here too.",
        (
            "run", "network", "layer", "neuron", "weight", "singular value", "rank", "norm", "nuclear norm", "pruning",
            "epoch",
        ),
    ),
    "Weights": Help(
        "Here you look inside a network: each coloured point is the strength of one connection, and grey is what was "
        "removed. Choose a moment of the run, a layer or a single neuron to see what it responds to and which "
        "pictures activate it most.",
        (
            "run", "network", "layer", "neuron", "weight", "fire", "activation", "pruning", "mask", "dead neuron",
            "sparsity", "FLOPs", "latency", "dense", "epoch", "norm",
        ),
    ),
    "Side by side": Help(
        "Here two runs stand side by side: which settings differ, how their accuracy developed, which weights both "
        "kept, and the singular values of their layers. Choose them at the top, or tick them in the list of runs.",
        ("run", "accuracy", "epoch", "mask", "weight", "singular value", "layer", "seed"),
    ),
    "Low rank": Help(
        "Pruning is one way to make a network simpler; another is to reduce its matrices to their strongest "
        "directions, by PCA or SVD. Here both start from the same network and end at the same ranks, and you see "
        "which classifies more pictures correctly. Move the slider to reduce the layers more or less.",
        (
            "run", "network", "layer", "neuron", "weight", "rank", "low-rank", "PCA", "SVD", "singular value", "dense",
            "pruning", "accuracy", "fine-tuning", "epoch", "FLOPs", "seed",
        ),
    ),
}  # fmt: skip
"""By the title of the page."""


def page_help(title: str) -> None:
    """A button that opens the help of the page with this title; it works by mouse, touch and keyboard alike."""
    page = PAGES.get(title)
    if page is None:
        return
    lines = [f"- **{term[:1].upper()}{term[1:]}:** {GLOSSARY[term]}" for term in sorted(page.terms, key=str.lower)]
    with st.popover("What am I looking at?", icon=":material/help:", type="tertiary"):
        st.markdown("\n".join((page.text, "", "**Terms on this page**", "", *lines)))
