"""The guided demo, for people who do not program: ``/demo``, and ``/demo?run=<id>&beside=<id>&step=<1 to 5>``."""

from abp.view.page import page, store
from abp.view.player import guided_demo

with page("Guided demo"):
    guided_demo(store())
