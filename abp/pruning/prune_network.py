"""Choice: what a criterion leaves of a network, so that as much goes as was asked for."""

from torch import Tensor

from abp.network.masks import kept
from abp.pruning.criteria import CRITERIA, Statistics
from abp.pruning.selection import Request, even_quotas, select_neurons, select_quotas, select_weights


def choose(criterion: str, statistics: Statistics, request: Request, *, scope: str = "global") -> list[Tensor]:
    """New masks, bool ``[out, in]`` per hidden layer, after a pruning of the masks in `statistics`.

    Parameters
    ----------
    criterion
        A key of `abp.pruning.criteria.CRITERIA` that removes something.
    scope
        ``"global"``: one ranking over all hidden layers; ``"per-layer"``: each layer loses the same share by a ranking
        of its own. A criterion that is `as_many_as` another one, and a request for one layer, have theirs set.
    """
    entry = CRITERIA[criterion]
    if entry.scores is None:
        raise ValueError(f"{criterion!r} removes nothing")
    select = select_neurons if entry.whole_neurons else select_weights
    scores, masks = entry.scores(statistics), statistics.masks
    if entry.as_many_as:
        pairs = zip(masks, choose(entry.as_many_as, statistics, request, scope=scope), strict=True)
        return select_quotas(select, scores, masks, [kept([old]) - kept([new]) for old, new in pairs])
    if request.layer is None and scope == "per-layer":
        return select_quotas(select, scores, masks, even_quotas(masks, request.remove))
    return select(scores, masks, request)
